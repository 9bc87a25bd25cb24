package ocisim

import (
	"crypto/md5" // Oracle names keys by the MD5 of their public half
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"sync"
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
	seed   uint64
	mu     sync.Mutex
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

// current gives the user's login with its key, which is made when it is first asked for: that takes a while.
func (k *keyring) current(user string) login {
	k.mu.Lock()
	defer k.mu.Unlock()
	l, known := k.byUser[user]
	if known && l.key == nil {
		l.key = newKey(k.seed, user, l.number)
		k.byUser[user] = l
	}
	return l
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

// rotate gives the user another key.
func (k *keyring) rotate(user string) login {
	k.mu.Lock()
	l := k.byUser[user]
	l.number, l.key = l.number+1, nil
	k.byUser[user] = l
	k.mu.Unlock()
	return k.current(user)
}

const publicExponent = 65537

// madeKeys remembers keys: a seed gives the same key for ever, and making one takes a good part of a second.
var madeKeys sync.Map

type keyName struct {
	seed   uint64
	user   string
	number int
}

// newKey makes the key of a user from the seed, so that a configuration outlives the simulator's process.
// A key that is made of a seed is no secret.
func newKey(seed uint64, user string, number int) *rsa.PrivateKey {
	name := keyName{seed, user, number}
	if key, ok := madeKeys.Load(name); ok {
		return key.(*rsa.PrivateKey)
	}
	const bits = 2048
	one, e := big.NewInt(1), big.NewInt(publicExponent)
	p := newPrime(fmt.Sprint("p", name), bits/2)
	q := newPrime(fmt.Sprint("q", name), bits/2)
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: publicExponent},
		Primes:    []*big.Int{p, q},
	}
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	key.D = new(big.Int).ModInverse(e, phi) // it exists: newPrime gives no prime that would hinder it
	key.Precompute()
	madeKeys.Store(name, key)
	return key
}

// newPrime gives the first fitting prime at or after a number that depends on the seed only.
// Its two highest bits are set, so that a product of two has the full length.
func newPrime(seed string, bits int) *big.Int {
	raw := make([]byte, 0, bits/8+sha256.Size)
	for i := 0; len(raw) < bits/8; i++ {
		sum := sha256.Sum256([]byte(seed + strconv.Itoa(i)))
		raw = append(raw, sum[:]...)
	}
	n := new(big.Int).SetBytes(raw[:bits/8])
	n.SetBit(n, bits-1, 1).SetBit(n, bits-2, 1).SetBit(n, 0, 1)
	one, two, e := big.NewInt(1), big.NewInt(2), big.NewInt(publicExponent)
	for !n.ProbablyPrime(20) || new(big.Int).Mod(new(big.Int).Sub(n, one), e).Sign() == 0 {
		n.Add(n, two)
	}
	return n
}
