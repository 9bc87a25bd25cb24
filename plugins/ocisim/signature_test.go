package ocisim

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The public half of the key of Oracle's published example requests, and what they sign.
// See https://docs.oracle.com/iaas/Content/API/Concepts/signingrequests.htm.
const (
	publishedKey = `-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDCFENGw33yGihy92pDjZQhl0C3
6rPJj+CvfSC8+q28hxA161QFNUd13wuCTUcq0Qd2qsBe/2hFyc2DCJJg0h1L78+6
Z4UMR7EOcpfdUE9Hf3m/hs+FUR45uBJeDK1HSFHD8bHKD6kv8FPGfJTotc+2xjJw
oYi+1hqp1fIekaxsyQIDAQAB
-----END PUBLIC KEY-----`
	publishedKeyID = "ocid1.tenancy.oc1..aaaaaaaaba3pv6wkcr4jqae5f15p2b2m2yt2j6rx32uzr4h25vqstifsfdsq/" +
		"ocid1.user.oc1..aaaaaaaat5nvwcna5j6aqzjcaty5eqbb6qt2jvpkanghtgdaqedqw3rynjq/" +
		"20:3b:97:13:55:1c:5b:0d:d3:37:d8:50:4e:c5:3a:34"
	publishedHost        = "iaas.us-phoenix-1.oraclecloud.com"
	publishedCompartment = "ocid1.compartment.oc1..aaaaaaaam3we6vgnherjq5q2idnccdflvjsnog7mlr6rtdb25gilchfeyjxa"
	publishedGet         = "GBas7grhyrhSKHP6AVIj/h5/Vp8bd/peM79H9Wv8kjoaCivujVXlpbKLjMPeDUhxkFIWtTtLBj3sUzaFj34XE6YZAHc9r2DmE4pMwOAy/kiITcZxa1oHPOeRheC0jP2dqbTll8fmTZVwKZOKHYPtrLJIJQHJjNvxFWeHQjMaR7M="
	publishedPost        = "Mje8vIDPlwIHmD/cTDwRxE7HaAvBg16JnVcsuqaNRim23fFPgQfLoOOxae6WqKb1uPjYEl0qIdazWaBy/Ml8DRhqlocMwoSXv0fbukP8J5N80LCmzT/FFBvIvTB91XuXI3hYfP9Zt1l7S6ieVadHUfqBedWH0itrtPJBgKmrWso="
	publishedHash        = "V9Z20UJTvkvpJ50flBzKE32+6m2zJjweHpDMX/U4Uy0="
)

func publishedPublicKey(t *testing.T) *rsa.PublicKey {
	t.Helper()
	block, _ := pem.Decode([]byte(publishedKey))
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*rsa.PublicKey)
}

func publishedRequests() map[string]signedRequest {
	get := signedRequest{
		method: http.MethodGet, host: publishedHost, header: http.Header{},
		target: "/20160918/instances?availabilityDomain=Pjwf%3A%20PHX-AD-1&compartmentId=" + publishedCompartment +
			"&displayName=TeamXInstances&volumeId=ocid1.volume.oc1.phx.abyhqljrgvttnlx73nmrwfaux7kcvzfs3s66izvxf2h4lgvyndsdsnoiwr5q",
	}
	get.header.Set("Date", "Thu, 05 Jan 2014 21:31:40 GMT")
	get.header.Set("Authorization", `Signature version="1",headers="date (request-target) host",keyId="`+publishedKeyID+
		`",algorithm="rsa-sha256",signature="`+publishedGet+`"`)

	post := signedRequest{
		method: http.MethodPost, host: publishedHost, target: "/20160918/volumeAttachments", header: http.Header{},
		body: []byte("{\n    \"compartmentId\": \"" + publishedCompartment + "\",\n    \"instanceId\": \"ocid1.instance.oc1.phx.abuw4ljrlsfiqw6vzzxb43vyypt4pkodawglp3wqxjqofakrwvou52gb6s5a\",\n    \"volumeId\": \"ocid1.volume.oc1.phx.abyhqljrgvttnlx73nmrwfaux7kcvzfs3s66izvxf2h4lgvyndsdsnoiwr5q\"\n}"),
	}
	post.header.Set("Date", "Thu, 05 Jan 2014 21:31:40 GMT")
	post.header.Set("Content-Type", "application/json")
	post.header.Set("Content-Length", "316")
	post.header.Set("X-Content-Sha256", publishedHash)
	post.header.Set("Authorization", `Signature version="1",headers="date (request-target) host content-length content-type x-content-sha256",keyId="`+
		publishedKeyID+`",algorithm="rsa-sha256",signature="`+publishedPost+`"`)
	return map[string]signedRequest{"GET": get, "POST": post}
}

func TestPublishedSignaturesAreAccepted(t *testing.T) {
	for name, r := range publishedRequests() {
		t.Run(name, func(t *testing.T) {
			auth, err := readAuthorization(r.header.Get("Authorization"))
			if err != nil {
				t.Fatal(err)
			}
			if auth.keyID != publishedKeyID {
				t.Errorf("keyId = %s, want %s", auth.keyID, publishedKeyID)
			}
			if err := r.verify(auth, publishedPublicKey(t)); err != nil {
				t.Errorf("the published signature is refused: %v", err)
			}
			at, err := r.date(auth)
			if want := time.Date(2014, 1, 5, 21, 31, 40, 0, time.UTC); err != nil || !at.Equal(want) {
				t.Errorf("date = %v, %v, want %v", at, err, want)
			}
		})
	}
}

func TestAnythingChangedAfterSigningIsRefused(t *testing.T) {
	changes := map[string]func(*signedRequest){
		"method":         func(r *signedRequest) { r.method = http.MethodDelete },
		"path":           func(r *signedRequest) { r.target = strings.Replace(r.target, "20160918", "20160919", 1) },
		"escaping":       func(r *signedRequest) { r.target += "%20" },
		"host":           func(r *signedRequest) { r.host = "iaas.us-ashburn-1.oraclecloud.com" },
		"date":           func(r *signedRequest) { r.header.Set("Date", "Thu, 05 Jan 2014 21:31:41 GMT") },
		"no date at all": func(r *signedRequest) { r.header.Del("Date") },
	}
	postOnly := map[string]func(*signedRequest){
		"body": func(r *signedRequest) { r.body = bytes.Replace(r.body, []byte("phx"), []byte("iad"), 1) },
		"body's hash": func(r *signedRequest) {
			r.header.Set("X-Content-Sha256", base64.StdEncoding.EncodeToString(make([]byte, 32)))
		},
		"content type":   func(r *signedRequest) { r.header.Set("Content-Type", "text/plain") },
		"content length": func(r *signedRequest) { r.header.Set("Content-Length", "317") },
	}
	key := publishedPublicKey(t)
	check := func(method, what string, change func(*signedRequest)) {
		t.Run(method+" "+what, func(t *testing.T) {
			r := publishedRequests()[method]
			auth, err := readAuthorization(r.header.Get("Authorization"))
			if err != nil {
				t.Fatal(err)
			}
			change(&r)
			if r.verify(auth, key) == nil {
				t.Errorf("a request whose %s changed after it was signed is accepted", what)
			}
		})
	}
	for _, method := range []string{"GET", "POST"} {
		for what, change := range changes {
			check(method, what, change)
		}
	}
	for what, change := range postOnly {
		check("POST", what, change)
	}
}

func TestHeadersAreSignedInTheOrderOfTheList(t *testing.T) {
	r := publishedRequests()["GET"]
	auth, err := readAuthorization(strings.Replace(r.header.Get("Authorization"), "date (request-target) host", "(request-target) date host", 1))
	if err != nil {
		t.Fatal(err)
	}
	if r.verify(auth, publishedPublicKey(t)) == nil {
		t.Error("a signature over the headers in another order than the list's is accepted")
	}
}

func TestAuthorizationThatIsNotOraclesIsRefused(t *testing.T) {
	good := publishedRequests()["GET"].header.Get("Authorization")
	for name, header := range map[string]string{
		"none":              "",
		"basic":             "Basic dXNlcjpwYXNz",
		"version 2":         strings.Replace(good, `version="1"`, `version="2"`, 1),
		"no version":        strings.Replace(good, `version="1",`, "", 1),
		"another algorithm": strings.Replace(good, "rsa-sha256", "hmac-sha256", 1),
		"no key":            strings.Replace(good, publishedKeyID, "", 1),
		"not base64":        strings.Replace(good, publishedGet, "@@@", 1),
		"an open quote":     strings.TrimSuffix(good, `"`),
		"a name twice":      good + `,version="1"`,
		"no values":         "Signature version",
	} {
		if _, err := readAuthorization(header); err == nil {
			t.Errorf("%s: the Authorization header %q is read without an error", name, header)
		}
	}
}

func TestSignatureMustCoverWhatOracleRequires(t *testing.T) {
	s := newSim(t, nil)
	c := newClient(t, s, 0)
	tests := []struct {
		name    string
		method  string
		headers []string
		want    int
	}{
		{"the documented headers", http.MethodGet, []string{"date", "(request-target)", "host"}, 200},
		{"another order", http.MethodGet, []string{"host", "date", "(request-target)"}, 200},
		{"x-date in the place of date", http.MethodGet, []string{"x-date", "(request-target)", "host"}, 200},
		{"one header more", http.MethodGet, []string{"date", "(request-target)", "host", "accept"}, 200},
		{"no date", http.MethodGet, []string{"(request-target)", "host"}, 401},
		{"no host", http.MethodGet, []string{"date", "(request-target)"}, 401},
		{"no target", http.MethodGet, []string{"date", "host"}, 401},
		{"a header that is not there", http.MethodGet, []string{"date", "(request-target)", "host", "x-none"}, 401},
		{"POST without its body", http.MethodPost, []string{"date", "(request-target)", "host"}, 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), tt.method, c.base+"/20160918/tenancies/"+s.tenancies[0].id, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Accept", "application/json")
			name := "Date"
			if tt.headers[0] == "x-date" {
				name = "X-Date"
			}
			r.Header.Set(name, now.Format(http.TimeFormat))
			sign(t, r, c.key, c.keyID, tt.headers...)
			if answer := c.do(t, r); answer.status != tt.want {
				t.Errorf("status = %d, want %d: %s", answer.status, tt.want, answer.body)
			}
		})
	}
}

// TestOnlyPutMessagesMayLeaveItsBodyOutOfTheSignature signs as Oracle's SDKs do.
func TestOnlyPutMessagesMayLeaveItsBodyOutOfTheSignature(t *testing.T) {
	s := newSim(t, nil)
	c := newClient(t, s, 0)
	stream := "/20180418/streams/" + s.Streams(0)[0].OCID
	for path, want := range map[string]int{stream + "/messages": 200, stream + "/cursors": 401} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.base+path, strings.NewReader(`{"messages":[{"value":"eA=="}]}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Date", now.Format(http.TimeFormat))
		r.Header.Set("Content-Type", "application/json")
		sign(t, r, c.key, c.keyID, "date", "(request-target)", "host")
		if answer := c.do(t, r); answer.status != want {
			t.Errorf("POST %s with its body unsigned: status = %d, want %d: %s", path, answer.status, want, answer.body)
		}
	}
}

func TestDateMayBeFiveMinutesOffAndNoMore(t *testing.T) {
	s := newSim(t, nil)
	c := newClient(t, s, 0)
	for _, tt := range []struct {
		off  time.Duration
		want int
	}{{0, 200}, {5 * time.Minute, 200}, {-5 * time.Minute, 200}, {5*time.Minute + time.Second, 401}, {-5*time.Minute - time.Second, 401}} {
		c.date = now.Add(tt.off)
		answer := c.get(t, "/20160918/tenancies/"+s.tenancies[0].id)
		if answer.status != tt.want {
			t.Errorf("a date %s off: status = %d, want %d", tt.off, answer.status, tt.want)
		}
		if tt.want == 401 && (answer.code(t) != "NotAuthenticated" || !strings.Contains(string(answer.body), "not within allowed clock skew")) {
			t.Errorf("a date %s off: body = %s, want NotAuthenticated with the skew", tt.off, answer.body)
		}
		if got, want := answer.header.Get("Date"), now.Format(http.TimeFormat); got != want {
			t.Errorf("a date %s off: the Date of the answer is %s, want %s", tt.off, got, want)
		}
	}
}

func TestOnlyTheTenancysOwnKeyIsAccepted(t *testing.T) {
	s := newSim(t, func(c *Config) { c.Tenancies = 2 })
	first, second := newClient(t, s, 0), newClient(t, s, 1)
	a, b := s.Tenancies()[0], s.Tenancies()[1]
	path := "/20160918/tenancies/" + a.OCID
	for name, c := range map[string]client{
		"an unknown fingerprint":     {key: first.key, keyID: a.OCID + "/" + a.User + "/" + b.Fingerprint},
		"an unknown user":            {key: first.key, keyID: a.OCID + "/" + b.User + "/" + a.Fingerprint},
		"another tenancy":            {key: first.key, keyID: b.OCID + "/" + a.User + "/" + a.Fingerprint},
		"another's key":              {key: second.key, keyID: first.keyID},
		"a key id of two parts":      {key: first.key, keyID: a.OCID + "/" + a.User},
		"a session token, not known": {key: first.key, keyID: "ST$eyJhbGciOi"},
	} {
		c.base, c.over, c.date = first.base, first.over, first.date
		answer := c.get(t, path)
		if answer.status != http.StatusUnauthorized || answer.code(t) != "NotAuthenticated" {
			t.Errorf("%s: status = %d %s, want 401 NotAuthenticated", name, answer.status, answer.body)
		}
	}
	if answer := first.get(t, path); answer.status != http.StatusOK {
		t.Errorf("the right key: status = %d, want 200: %s", answer.status, answer.body)
	}
	if answer := second.get(t, path); answer.status != http.StatusNotFound || answer.code(t) != "NotAuthorizedOrNotFound" {
		t.Errorf("another tenancy's user: status = %d, want 404", answer.status)
	}
}

func TestRotatedKeyTakesTheOldOnesPlace(t *testing.T) {
	s := newSim(t, nil)
	old := newClient(t, s, 0)
	path := "/20160918/tenancies/" + s.tenancies[0].id
	rotated, err := s.RotateKey(0)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Tenancies()[0].Fingerprint; got != rotated.Fingerprint {
		t.Errorf("Tenancies names the key %s, want the new one %s", got, rotated.Fingerprint)
	}
	if answer := old.get(t, path); answer.status != http.StatusUnauthorized {
		t.Errorf("the old key: status = %d, want 401", answer.status)
	}
	if answer := newClient(t, s, 0).get(t, path); answer.status != http.StatusOK {
		t.Errorf("the new key: status = %d, want 200: %s", answer.status, answer.body)
	}
	if _, err := s.RotateKey(1); err == nil {
		t.Error("RotateKey(1) of one tenancy gives no error")
	}
}

func TestSeedGivesTheSameKeyAgain(t *testing.T) {
	madeKeys.Clear()
	first := newSim(t, nil).Tenancies()[0]
	madeKeys.Clear()
	second := newSim(t, nil).Tenancies()[0]
	if first.PrivateKeyPEM != second.PrivateKeyPEM || first.Fingerprint != second.Fingerprint {
		t.Error("two simulators of one seed have different keys")
	}
	other := newSim(t, func(c *Config) { c.Seed = 2 }).Tenancies()[0]
	if other.PrivateKeyPEM == first.PrivateKeyPEM || other.OCID == first.OCID {
		t.Error("simulators of two seeds have the same key or tenancy")
	}
}
