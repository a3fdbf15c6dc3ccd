// Command tessera-log runs a log made with the tessera library, on files, with tessera's own client of
// witnesses.
//
// Each line of standard input is an entry to log. For each it prints a line: the entry's index once a
// checkpoint that has it is published, or "failed: " and why within -patience. With -together it does
// not wait for one before it logs the next. It ends with its input.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

var (
	dir       = flag.String("dir", "", "directory of the log")
	keyFile   = flag.String("key", "", "file with the log's key, in the form of Go's note package")
	origin    = flag.String("origin", "", "name of the log")
	policy    = flag.String("policy", "", "file with the policy of its witnesses; without one, only a new key is made")
	republish = flag.Duration("republish", time.Hour, "how often an unchanged checkpoint is published again")
	together  = flag.Bool("together", false, "log all entries at once")
	patience  = flag.Duration("patience", 10*time.Second, "how long to wait for an entry to be published")
)

const interval = 100 * time.Millisecond

func main() {
	flag.Parse()
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if *policy == "" {
		return makeKey()
	}
	secret, err := os.ReadFile(*keyFile)
	if err != nil {
		return err
	}
	signer, err := note.NewSigner(string(secret))
	if err != nil {
		return err
	}
	policyBytes, err := os.ReadFile(*policy)
	if err != nil {
		return err
	}
	witnesses, err := tessera.NewWitnessGroupFromPolicy(policyBytes)
	if err != nil {
		return err
	}
	driver, err := posix.New(ctx, posix.Config{Path: *dir})
	if err != nil {
		return err
	}
	options := tessera.NewAppendOptions().
		WithCheckpointSigner(signer).
		WithBatching(256, interval/2).
		WithCheckpointInterval(interval).
		WithCheckpointRepublishInterval(*republish).
		WithWitnesses(witnesses, &tessera.WitnessOptions{Timeout: 2 * time.Second})
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, options)
	if err != nil {
		return err
	}
	awaiter := tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, interval)
	lines := bufio.NewScanner(os.Stdin)
	var waiting []tessera.IndexFuture
	for lines.Scan() {
		future := appender.Add(ctx, tessera.NewEntry(append([]byte(nil), lines.Bytes()...)))
		if *together {
			waiting = append(waiting, future)
		} else {
			report(ctx, awaiter, future)
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	for _, future := range waiting {
		report(ctx, awaiter, future)
	}
	return shutdown(ctx)
}

func report(
	ctx context.Context, awaiter *tessera.PublicationAwaiter, future tessera.IndexFuture,
) {
	ctx, cancel := context.WithTimeout(ctx, *patience)
	defer cancel()
	index, _, err := awaiter.Await(ctx, future)
	if err != nil {
		fmt.Println("failed:", err)
		return
	}
	fmt.Println(index.Index)
}

// makeKey writes a new key and prints its vkey.
func makeKey() error {
	secret, vkey, err := note.GenerateKey(nil, *origin)
	if err != nil {
		return err
	}
	fmt.Println(vkey)
	return os.WriteFile(*keyFile, []byte(secret), 0o600)
}
