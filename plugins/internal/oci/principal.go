package oci

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"sync"
	"time"
)

// Times of principals that ask for their tokens.
const (
	// loginTimeout ends one login, whatever hangs: off Oracle's cloud the metadata service's address leads nowhere.
	loginTimeout = 10 * time.Second
	// renewPause is how long a token that was just given is not given back because it was refused, and how long the next try
	// to renew one that is still good waits after one that failed.
	renewPause = 30 * time.Second
)

// sessionBits is the size of a session's key.
const sessionBits = 2048

// principal is a machine or a workload that asks for a token for a session's key, and asks again when half of the token's life is over.
// While the old token is good a failed renewal costs nothing but its wait, and only one call in many.
type principal struct {
	now func() time.Time
	// ask gets a token for a new session; it ends with its context.
	ask func(context.Context) (grant, error)
	// turn is held by whoever asks.
	turn chan struct{}

	mu     sync.Mutex
	held   grant     // mu
	asked  time.Time // mu; when it was last asked for
	failed time.Time // mu; when renewing a token that was still good failed last
	logins int       // mu; how often it was asked for
	err    error     // mu; how that ended last
}

// grant is a token that was given, with its life as our clock has it.
type grant struct {
	who          identity
	key          signerKey
	renew, until time.Time
}

func newPrincipal(now func() time.Time, ask func(context.Context) (grant, error)) *principal {
	return &principal{now: now, ask: ask, turn: make(chan struct{}, 1)}
}

func (p *principal) identity() identity { return p.have().who }

func (p *principal) have() grant {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held
}

func (p *principal) current(ctx context.Context) (signerKey, error) {
	g, now := p.have(), p.now()
	if now.Before(g.renew) {
		return g.key, nil
	}
	if now.Before(g.until) {
		return p.early(ctx, g, now), nil
	}
	p.mu.Lock()
	before := p.logins
	p.mu.Unlock()
	if err := p.take(ctx); err != nil {
		return signerKey{}, err
	}
	defer p.give()
	// Whoever had the turn before may have got one; where it failed just now it would again.
	p.mu.Lock()
	waited, err := p.logins > before, p.err
	p.mu.Unlock()
	if g = p.have(); p.now().Before(g.until) {
		return g.key, nil
	}
	if waited && err != nil {
		return signerKey{}, err
	}
	if err := p.login(ctx); err != nil {
		return signerKey{}, err
	}
	return p.have().key, nil
}

// early renews a token that is still good, unless somebody is at it or it failed a short while ago.
func (p *principal) early(ctx context.Context, g grant, now time.Time) signerKey {
	select {
	case p.turn <- struct{}{}:
	default:
		return g.key
	}
	defer p.give()
	p.mu.Lock()
	wait, same := lately(p.failed, now), p.held.key.id == g.key.id
	p.mu.Unlock()
	if same && !wait && p.login(ctx) != nil {
		p.mu.Lock()
		p.failed = p.now()
		p.mu.Unlock()
	}
	return p.have().key
}

// lately tells whether something was less than a pause ago. What a clock that was set back calls the future was not.
func lately(then, now time.Time) bool {
	since := now.Sub(then)
	return since >= 0 && since < renewPause
}

func (p *principal) renew(ctx context.Context, refused signerKey) (bool, error) {
	if err := p.take(ctx); err != nil {
		return false, err
	}
	defer p.give()
	p.mu.Lock()
	other, fresh := p.held.key.id != refused.id, lately(p.asked, p.now())
	p.mu.Unlock()
	if other {
		return true, nil
	}
	// What is wrong with a token that was just given would be wrong with the next.
	if fresh {
		return false, nil
	}
	if err := p.login(ctx); err != nil {
		return false, err
	}
	return true, nil
}

func (p *principal) take(ctx context.Context) error {
	select {
	case p.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *principal) give() { <-p.turn }

// login asks for a token; the turn is held.
func (p *principal) login(ctx context.Context) error {
	p.mu.Lock()
	p.asked = p.now()
	p.mu.Unlock()
	limited, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	g, err := p.ask(limited)
	if ctx.Err() != nil {
		// Whoever asked has gone; the others ask for themselves.
		return ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.logins, p.err = p.logins+1, err
	if err != nil {
		return err
	}
	if p.held.who.Tenancy != "" && p.held.who.Tenancy != g.who.Tenancy {
		return &Error{Kind: BadConfig, Sentence: g.who.Name + " is now of another tenancy than before: restart to follow it"}
	}
	p.held, p.failed = g, time.Time{}
	return nil
}

// granted makes a grant of a token that came at a time by our clock, and at date by Oracle's.
// Its life counts from then, so that a clock that is off neither keeps it too long nor asks all the time.
func granted(t token, key *rsa.PrivateKey, who identity, at, date time.Time) (grant, error) {
	if date.IsZero() {
		date = at
	}
	life := t.expires.Sub(date)
	if life <= 0 {
		return grant{}, fmt.Errorf("it expired at %s", t.expires.Format(time.RFC3339))
	}
	who.Expires = t.expires
	return grant{who: who, key: t.signs(key), renew: at.Add(life / 2), until: at.Add(life)}, nil
}

// newSession makes a session's key, and its public half in DER as base64.
func newSession() (key *rsa.PrivateKey, public string, err error) {
	key, err = rsa.GenerateKey(rand.Reader, sessionBits)
	if err != nil {
		return nil, "", fmt.Errorf("making a session's key: %w", err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, "", fmt.Errorf("making a session's key: %w", err)
	}
	return key, base64.StdEncoding.EncodeToString(der), nil
}
