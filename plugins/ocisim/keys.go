package ocisim

import (
	"crypto/md5" // Oracle names keys by the MD5 of their public half
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"sync"

	"benthos-oci/plugins/internal/sample"
)

// login is a user of a tenancy with the key that signs its calls.
type login struct {
	tenancy string
	user    string
	key     *rsa.PrivateKey
	number  int // counts the keys that this user has had
}

func (l login) fingerprint() string { return fingerprintOf(&l.key.PublicKey) }

func (l login) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(l.key)}))
}

// fingerprintOf gives the name of a key: the MD5 of its public half in DER.
func fingerprintOf(key *rsa.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return ""
	}
	sum := md5.Sum(der)
	pairs := make([]string, len(sum))
	for i := range sum {
		pairs[i] = hex.EncodeToString(sum[i : i+1])
	}
	return strings.Join(pairs, ":")
}

// keyring holds the keys that are accepted now.
type keyring struct {
	mu     sync.RWMutex
	byUser map[string]login // guarded by mu
}

func (k *keyring) add(l login) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.byUser == nil {
		k.byUser = map[string]login{}
	}
	k.byUser[l.user] = l
}

func (k *keyring) current(user string) login {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.byUser[user]
}

// find gives the key named tenancy/user/fingerprint.
func (k *keyring) find(keyID string) (login, bool) {
	parts := strings.Split(keyID, "/")
	if len(parts) != 3 {
		return login{}, false
	}
	l := k.current(parts[1])
	if l.key == nil || l.tenancy != parts[0] || l.fingerprint() != parts[2] {
		return login{}, false
	}
	return l, true
}

func (k *keyring) rotate(seed uint64, l login) (login, error) {
	next := k.current(l.user)
	next.number++
	key, err := newKey(seed, next.user, next.number)
	if err != nil {
		return login{}, err
	}
	next.key = key
	k.add(next)
	return next, nil
}

// madeKeys remembers keys: a seed gives the same key for ever, and making one takes a good part of a second.
var madeKeys sync.Map

type keyName struct {
	seed   uint64
	user   string
	number int
}

// newKey makes the key of a user from the seed, so that a configuration outlives the simulator's process.
// A key that is made of a seed is no secret.
func newKey(seed uint64, user string, number int) (*rsa.PrivateKey, error) {
	name := keyName{seed, user, number}
	if key, ok := madeKeys.Load(name); ok {
		return key.(*rsa.PrivateKey), nil
	}
	const bits, exponent = 2048, 65537
	stream := sample.OCID // a stable source of bytes that is at hand
	one, e := big.NewInt(1), big.NewInt(exponent)
	p := newPrime(stream, fmt.Sprint("p", name), bits/2)
	q := newPrime(stream, fmt.Sprint("q", name), bits/2)
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: exponent},
		Primes:    []*big.Int{p, q},
	}
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	if key.D = new(big.Int).ModInverse(e, phi); key.D == nil {
		return nil, fmt.Errorf("making the key of %s: the exponent has no inverse", user)
	}
	key.Precompute()
	if err := key.Validate(); err != nil {
		return nil, fmt.Errorf("making the key of %s: %w", user, err)
	}
	madeKeys.Store(name, key)
	return key, nil
}

// newPrime gives the first prime at or after a number that depends on the seed only.
// Its two highest bits are set, so that a product of two has the full length.
func newPrime(stream func(kind, region string, parts ...string) string, seed string, bits int) *big.Int {
	raw := make([]byte, 0, bits/8)
	for i := 0; len(raw) < bits/8; i++ {
		raw = append(raw, mix(stream("prime", seed, strconv.Itoa(i)))...)
	}
	n := new(big.Int).SetBytes(raw[:bits/8])
	n.SetBit(n, bits-1, 1).SetBit(n, bits-2, 1).SetBit(n, 0, 1)
	two := big.NewInt(2)
	for !n.ProbablyPrime(20) || new(big.Int).Mod(new(big.Int).Sub(n, big.NewInt(1)), big.NewInt(65537)).Sign() == 0 {
		n.Add(n, two)
	}
	return n
}

// mix makes bytes of text.
func mix(text string) []byte {
	sum := md5.Sum([]byte(text))
	return sum[:]
}
