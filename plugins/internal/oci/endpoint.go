package oci

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"

	"github.com/oracle/oci-go-sdk/v65/common"
)

// service is one of Oracle's APIs.
type service struct {
	// name is what {service} in an endpoint is replaced by.
	name string
	// template is the host of the service, in the words of Oracle's SDK.
	template string
	// version is the first segment of every path.
	version string
}

var (
	auditService      = service{"audit", "https://audit.{region}.{secondLevelDomain}", "/20190901"}
	identityService   = service{"identity", "https://identity.{region}.oci.{secondLevelDomain}", "/20160918"}
	cloudGuardService = service{"cloudguard", "https://cloudguard-cp-api.{region}.oci.{secondLevelDomain}", "/20200131"}
	loggingService    = service{"logging", "https://logging.{region}.oci.{secondLevelDomain}", "/20190909"}
)

// endpoint says where the services stand; the zero value is at Oracle's.
type endpoint struct{ template string }

// parseEndpoint checks an endpoint of the configuration. A path prefix is allowed, plain http only to this machine.
func parseEndpoint(s string) (endpoint, error) {
	if s == "" {
		return endpoint{}, nil
	}
	at, err := url.Parse(strings.NewReplacer("{region}", "region", "{service}", "service").Replace(s))
	if err != nil {
		// The cause would repeat the URL, which may hold a password.
		return endpoint{}, errors.New("reading endpoint: it is not a URL like https://gateway.example.com/{service}/{region}")
	}
	switch {
	case at.User != nil || at.RawQuery != "" || at.Fragment != "":
		return endpoint{}, errors.New("reading endpoint: it must hold no user, query or fragment, only a scheme, a host and a path")
	case at.Host == "":
		return endpoint{}, fmt.Errorf("reading endpoint: %q names no host; write it like https://gateway.example.com/{service}/{region}", s)
	case at.Scheme == "http" && !loopback(at.Hostname()):
		return endpoint{}, fmt.Errorf("reading endpoint: %q would send signed requests in clear text; use https, plain http is allowed to 127.0.0.1 only", s)
	case at.Scheme != "http" && at.Scheme != "https":
		return endpoint{}, fmt.Errorf("reading endpoint: the scheme of %q must be https", s)
	}
	return endpoint{template: strings.TrimRight(s, "/")}, nil
}

// CheckEndpoint says why an endpoint cannot be used, nil where it can; it repeats no password.
func CheckEndpoint(s string) error {
	_, err := parseEndpoint(s)
	return err
}

func noRegion(region string) error {
	return &Error{
		Kind: WrongRegion, Region: region,
		Sentence: fmt.Sprintf("%q is not the name of a region: regions are called like us-ashburn-1 or eu-frankfurt-1", region),
	}
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// resolve gives the address of a service in a region, its version included.
func (e endpoint) resolve(s service, region string) (string, error) {
	if e.template != "" {
		return strings.NewReplacer("{region}", region, "{service}", s.name).Replace(e.template) + s.version, nil
	}
	if !plausibleRegion(region) {
		return "", noRegion(region)
	}
	regionTable.Lock()
	host := common.StringToRegion(region).EndpointForTemplate(s.name, s.template)
	regionTable.Unlock()
	if !strings.Contains(host, "://") {
		host = "https://" + host
	}
	return host + s.version, nil
}

// regionTable guards the SDK's table of regions, which a look-up of an unknown region writes to.
var regionTable sync.Mutex

// knownRegion is true for the regions in the SDK's table. Oracle opens new ones, so an unknown name is not wrong by itself.
func knownRegion(region string) bool {
	regionTable.Lock()
	defer regionTable.Unlock()
	_, err := common.StringToRegion(region).RealmID()
	return err == nil
}

// plausibleRegion keeps what cannot be part of a host name out of host names.
func plausibleRegion(region string) bool {
	if region == "" || len(region) > 64 {
		return false
	}
	for _, r := range region {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.' {
			return false
		}
	}
	return true
}

// CanonicalRegion spells a region as Oracle does: lower case, and the short codes (fra) written out.
func CanonicalRegion(region string) string {
	region = strings.ToLower(strings.TrimSpace(region))
	if len(region) == 3 {
		regionTable.Lock()
		defer regionTable.Unlock()
		return string(common.StringToRegion(region))
	}
	return region
}
