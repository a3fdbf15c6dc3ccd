// Package interop reads a running Daybook log with the Go libraries that other tile logs are read with.
//
// The test beside it, interop.test.ts, starts the log, fills it and sets:
//
//	DAYBOOK_URL       the log's prefix
//	DAYBOOK_VKEY      the log's Ed25519 key, as a vkey
//	DAYBOOK_EXHIBITS  a directory: entries (one in base64 a line, in the order of their indexes),
//	                  checkpoints/* (as published while the log grew), proofs/* (.tlog-proof files),
//	                  cosigned (a checkpoint with more signatures), cosigners (their vkeys, one a line)
package interop

import (
	"bytes"
	"context"
	"encoding/base64"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/transparency-dev/formats/log"
	cosignature "github.com/transparency-dev/formats/note"
	tlogproof "github.com/transparency-dev/formats/proof"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/client"
	"golang.org/x/mod/sumdb/note"
)

var hasher = rfc6962.DefaultHasher

func setting(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set: run this test by interop.test.ts", name)
	}
	return value
}

func exhibit(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(setting(t, "DAYBOOK_EXHIBITS"), name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// exhibits returns the files of a directory of exhibits by name; there must be some.
func exhibits(t *testing.T, directory string) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(setting(t, "DAYBOOK_EXHIBITS"), directory, "*"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no %s (%v)", directory, err)
	}
	files := make(map[string][]byte)
	for _, path := range paths {
		files[filepath.Base(path)] = exhibit(t, filepath.Join(directory, filepath.Base(path)))
	}
	return files
}

func logKey(t *testing.T) note.Verifier {
	t.Helper()
	verifier, err := note.NewVerifier(setting(t, "DAYBOOK_VKEY"))
	if err != nil {
		t.Fatal(err)
	}
	return verifier
}

func fetcher(t *testing.T) *client.HTTPFetcher {
	t.Helper()
	prefix, err := url.Parse(setting(t, "DAYBOOK_URL"))
	if err != nil {
		t.Fatal(err)
	}
	fetcher, err := client.NewHTTPFetcher(prefix, nil)
	if err != nil {
		t.Fatal(err)
	}
	return fetcher
}

// latest fetches and opens the newest checkpoint. The key's name is the log's origin.
func latest(t *testing.T) *log.Checkpoint {
	t.Helper()
	checkpoint, _, _, err := client.FetchCheckpoint(
		context.Background(), fetcher(t).ReadCheckpoint, logKey(t), logKey(t).Name())
	if err != nil {
		t.Fatal(err)
	}
	return checkpoint
}

func open(t *testing.T, signed []byte) *log.Checkpoint {
	t.Helper()
	checkpoint, rest, _, err := log.ParseCheckpoint(signed, logKey(t).Name(), logKey(t))
	if err != nil {
		t.Fatalf("%v\n%s", err, signed)
	}
	if len(rest) != 0 {
		t.Errorf("checkpoint has extension lines %q", rest)
	}
	return checkpoint
}

func builder(t *testing.T, size uint64) *client.ProofBuilder {
	t.Helper()
	builder, err := client.NewProofBuilder(context.Background(), size, fetcher(t).ReadTile)
	if err != nil {
		t.Fatal(err)
	}
	return builder
}

func entries(t *testing.T, size uint64) [][]byte {
	t.Helper()
	var all [][]byte
	for index := uint64(0); index*layout.EntryBundleWidth < size; index++ {
		bundle, err := client.GetEntryBundle(context.Background(), fetcher(t).ReadEntryBundle, index, size)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, bundle.Entries...)
	}
	if uint64(len(all)) != size {
		t.Fatalf("bundles hold %d entries, checkpoint says %d", len(all), size)
	}
	return all
}

func TestEntriesAreThoseSubmittedAndHashToTheRoot(t *testing.T) {
	checkpoint := latest(t)
	submitted := strings.Fields(string(exhibit(t, "entries")))
	if uint64(len(submitted)) != checkpoint.Size {
		t.Fatalf("%d entries submitted, checkpoint says %d", len(submitted), checkpoint.Size)
	}
	tree := (&compact.RangeFactory{Hash: hasher.HashChildren}).NewEmptyRange(0)
	for index, entry := range entries(t, checkpoint.Size) {
		if base64.StdEncoding.EncodeToString(entry) != submitted[index] {
			t.Fatalf("entry %d is not what was submitted", index)
		}
		if err := tree.Append(hasher.HashLeaf(entry), nil); err != nil {
			t.Fatal(err)
		}
	}
	root, err := tree.GetRootHash(nil)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(root, checkpoint.Hash) {
		t.Fatalf("entries hash to %x, checkpoint says %x", root, checkpoint.Hash)
	}
}

func TestTilesIncludeEveryEntry(t *testing.T) {
	checkpoint := latest(t)
	leaves, err := client.FetchLeafHashes(
		context.Background(), fetcher(t).ReadTile, 0, checkpoint.Size, checkpoint.Size)
	if err != nil {
		t.Fatal(err)
	}
	builder := builder(t, checkpoint.Size)
	for index, entry := range entries(t, checkpoint.Size) {
		leaf := hasher.HashLeaf(entry)
		if !bytes.Equal(leaf, leaves[index]) {
			t.Fatalf("tile and bundle disagree about entry %d", index)
		}
		path, err := builder.InclusionProof(context.Background(), uint64(index))
		if err != nil {
			t.Fatal(err)
		}
		err = proof.VerifyInclusion(hasher, uint64(index), checkpoint.Size, leaf, path, checkpoint.Hash)
		if err != nil {
			t.Fatalf("entry %d: %v", index, err)
		}
	}
}

func TestEveryCheckpointIsConsistentWithEveryOther(t *testing.T) {
	var all []*log.Checkpoint
	for _, signed := range exhibits(t, "checkpoints") {
		all = append(all, open(t, signed))
	}
	all = append(all, latest(t))
	builder := builder(t, latest(t).Size)
	proven := 0
	for _, older := range all {
		for _, newer := range all {
			if older.Size == 0 || older.Size >= newer.Size {
				continue
			}
			path, err := builder.ConsistencyProof(context.Background(), older.Size, newer.Size)
			if err != nil {
				t.Fatal(err)
			}
			err = proof.VerifyConsistency(hasher, older.Size, newer.Size, path, older.Hash, newer.Hash)
			if err != nil {
				t.Fatalf("%d to %d: %v", older.Size, newer.Size, err)
			}
			proven++
		}
	}
	if proven == 0 {
		t.Fatal("no two checkpoints of different sizes to compare")
	}
}

// Each checkpoint seen is read by its own partial tiles: they must be there for every size that was published.
func TestTilesOfOlderCheckpointsAreStillServed(t *testing.T) {
	for name, signed := range exhibits(t, "checkpoints") {
		checkpoint := open(t, signed)
		nodes, err := client.FetchRangeNodes(context.Background(), checkpoint.Size, fetcher(t).ReadTile)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		tree, err := (&compact.RangeFactory{Hash: hasher.HashChildren}).NewRange(0, checkpoint.Size, nodes)
		if err != nil {
			t.Fatal(err)
		}
		root, err := tree.GetRootHash(nil)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(root, checkpoint.Hash) {
			t.Fatalf("%s: tiles give root %x, checkpoint says %x", name, root, checkpoint.Hash)
		}
	}
}

func TestTrackerFollowsTheLog(t *testing.T) {
	for name, signed := range exhibits(t, "checkpoints") {
		tracker, err := client.NewLogStateTracker(context.Background(), fetcher(t).ReadTile, signed,
			logKey(t), logKey(t).Name(), client.UnilateralConsensus(fetcher(t).ReadCheckpoint))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := tracker.Update(context.Background()); err != nil {
			t.Fatalf("from %s: %v", name, err)
		}
	}
}

func TestProofFilesVerify(t *testing.T) {
	for name, data := range exhibits(t, "proofs") {
		var file tlogproof.TLogProof
		if err := file.Unmarshal(data); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(file.Marshal(), data) {
			t.Errorf("%s: Go writes this proof differently", name)
		}
		checkpoint := open(t, file.Checkpoint)
		var path [][]byte
		for _, hash := range file.Hashes {
			path = append(path, hash[:])
		}
		leaf := hasher.HashLeaf(file.ExtraData)
		err := proof.VerifyInclusion(hasher, file.Index, checkpoint.Size, leaf, path, checkpoint.Hash)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

// A checkpoint that also carries cosignatures of both types opens with the log's key alone, and with all keys.
func TestOtherSignaturesDoNotDisturb(t *testing.T) {
	signed := exhibit(t, "cosigned")
	vkeys := strings.Fields(string(exhibit(t, "cosigners")))

	alone, err := note.Open(signed, note.VerifierList(logKey(t)))
	if err != nil {
		t.Fatal(err)
	}
	if len(alone.Sigs) != 1 || len(alone.UnverifiedSigs) != len(vkeys) {
		t.Fatalf("%d signatures verify and %d are unknown, want 1 and %d",
			len(alone.Sigs), len(alone.UnverifiedSigs), len(vkeys))
	}

	verifiers := []note.Verifier{logKey(t)}
	for _, vkey := range vkeys {
		verifier, err := cosignature.NewVerifier(vkey)
		if err != nil {
			t.Fatalf("%v: %s", err, vkey)
		}
		verifiers = append(verifiers, verifier)
	}
	together, err := note.Open(signed, note.VerifierList(verifiers...))
	if err != nil {
		t.Fatal(err)
	}
	if len(together.Sigs) != len(verifiers) {
		t.Fatalf("%d signatures verify, want %d", len(together.Sigs), len(verifiers))
	}
}
