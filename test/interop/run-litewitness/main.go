// Command run-litewitness runs litewitness with what it needs around it: an ssh-agent that holds its
// key, and a database in which the logs are known.
//
// litewitness's own tool for the database, witnessctl, is not used, since it needs the module
// sigsum.org/sigsum-go, which the module proxy does not always have. It prints one line when the
// witness answers: its vkey. The key and the database stay in -dir, for the next run.
package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"filippo.io/torchwood"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/mod/sumdb/note"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

var (
	program = flag.String("program", "", "the litewitness program")
	dir     = flag.String("dir", "", "directory for its key and database")
	name    = flag.String("name", "", "name of the witness")
	listen  = flag.String("listen", "", "address to listen on")
	logs    = flag.String("logs", "", "vkeys of the logs to know, with spaces between them")
)

func main() {
	flag.Parse()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	// The child is killed when the thread that started it ends.
	runtime.LockOSThread()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	key, err := loadKey(filepath.Join(*dir, "key"))
	if err != nil {
		return err
	}
	socket := filepath.Join(*dir, "agent")
	if err := serveAgent(socket, key); err != nil {
		return err
	}
	public, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		return err
	}
	db := filepath.Join(*dir, "db")
	witness := exec.CommandContext(ctx, *program, "-db", db, "-ssh-agent", socket,
		"-key", ssh.FingerprintSHA256(public), "-name", *name, "-listen", *listen)
	witness.Cancel = func() error { return witness.Process.Signal(os.Interrupt) }
	witness.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	witness.Stderr = os.Stderr
	if err := witness.Start(); err != nil {
		return err
	}
	if err := awaitListening(ctx); err != nil {
		return err
	}
	for _, vkey := range strings.Fields(*logs) {
		if err := addLog(db, vkey); err != nil {
			return err
		}
	}
	signer, err := torchwood.NewCosignatureSigner(*name, key)
	if err != nil {
		return err
	}
	fmt.Println(signer.Verifier())
	err = witness.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func loadKey(path string) (ed25519.PrivateKey, error) {
	seed, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		seed = make([]byte, ed25519.SeedSize)
		if _, err := rand.Read(seed); err != nil {
			return nil, err
		}
		err = os.WriteFile(path, seed, 0o600)
	}
	if err != nil {
		return nil, err
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

func serveAgent(socket string, key ed25519.PrivateKey) error {
	keys := agent.NewKeyring()
	if err := keys.Add(agent.AddedKey{PrivateKey: &key}); err != nil {
		return err
	}
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(keys, conn) }()
		}
	}()
	return nil
}

func awaitListening(ctx context.Context) error {
	for range 500 {
		conn, err := net.Dial("tcp", *listen)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return fmt.Errorf("litewitness does not listen on %s", *listen)
}

// addLog does what witnessctl's add-log and add-key do.
func addLog(path, vkey string) error {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return err
	}
	db, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetBlockOnBusy()
	origin := verifier.Name()
	known := false
	err = sqlitex.Execute(db, "SELECT 1 FROM log WHERE origin = ?", &sqlitex.ExecOptions{
		Args: []any{origin},
		ResultFunc: func(*sqlite.Stmt) error {
			known = true
			return nil
		},
	})
	if err != nil || known {
		return err
	}
	empty := base64.StdEncoding.EncodeToString(rfc6962.DefaultHasher.EmptyRoot())
	err = sqlitex.Execute(db, "INSERT INTO log (origin, tree_size, tree_hash) VALUES (?, 0, ?)",
		&sqlitex.ExecOptions{Args: []any{origin, empty}})
	if err != nil {
		return err
	}
	return sqlitex.Execute(db, "INSERT INTO key (origin, key) VALUES (?, ?)",
		&sqlitex.ExecOptions{Args: []any{origin, vkey}})
}
