// Command fsck reads a whole log with tessera's checker, which computes every tile from the entries.
//
// Its arguments are the log's URL, which may be a file URL, and its vkey. It exits with 0 when the
// checker found nothing wrong.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"

	cosignature "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 3 {
		return errors.New("want a URL and a vkey")
	}
	location, err := url.Parse(os.Args[1])
	if err != nil {
		return err
	}
	verifier, err := cosignature.NewVerifier(os.Args[2])
	if err != nil {
		return err
	}
	var source fsck.Fetcher = &client.FileFetcher{Root: location.Path}
	if location.Scheme != "file" {
		if source, err = client.NewHTTPFetcher(location, nil); err != nil {
			return err
		}
	}
	check := fsck.New(verifier.Name(), verifier, source, leafHashes, fsck.Opts{N: 4})
	return check.Check(context.Background())
}

func leafHashes(bundle []byte) ([][]byte, error) {
	var entries api.EntryBundle
	if err := entries.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	var hashes [][]byte
	for _, entry := range entries.Entries {
		hashes = append(hashes, rfc6962.DefaultHasher.HashLeaf(entry))
	}
	return hashes, nil
}
