// Command policies reads policies as torchwood and tessera do, and judges checkpoints and proof files
// by them.
//
// Standard input is a JSON array of {"policy": octets, "checkpoints": [note, ...], "proofs": [file, ...]},
// all in base64. Standard output is an array of what each says: whether it reads the policy, and if so,
// whether the policy is satisfied by each of the checkpoints. torchwood also says of each proof file
// whether it shows, by the policy, that its extra data was logged.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"filippo.io/torchwood"
	"github.com/transparency-dev/tessera"
	"golang.org/x/mod/sumdb/tlog"
)

type question struct {
	Policy      []byte   `json:"policy"`
	Checkpoints [][]byte `json:"checkpoints"`
	Proofs      [][]byte `json:"proofs"`
}

type reading struct {
	Error     string `json:"error,omitempty"`
	Satisfied []bool `json:"satisfied"`
	Proven    []bool `json:"proven,omitempty"`
}

type answer struct {
	Torchwood reading `json:"torchwood"`
	Tessera   reading `json:"tessera"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	var questions []question
	if err := json.NewDecoder(os.Stdin).Decode(&questions); err != nil {
		return err
	}
	answers := []answer{}
	for _, q := range questions {
		answers = append(answers, answer{Torchwood: byTorchwood(q), Tessera: byTessera(q)})
	}
	return json.NewEncoder(os.Stdout).Encode(answers)
}

func byTorchwood(q question) reading {
	policy, err := torchwood.ParsePolicy(q.Policy)
	if err != nil {
		return reading{Error: err.Error()}
	}
	r := judge(q, func(checkpoint []byte) bool {
		_, _, err := torchwood.VerifyCheckpoint(checkpoint, policy)
		return err == nil
	})
	for _, proof := range q.Proofs {
		entry, err := torchwood.ProofExtraData(proof)
		if err == nil {
			err = torchwood.VerifyProof(policy, tlog.RecordHash(entry), proof)
		}
		r.Proven = append(r.Proven, err == nil)
	}
	return r
}

func byTessera(q question) reading {
	group, err := tessera.NewWitnessGroupFromPolicy(q.Policy)
	if err != nil {
		return reading{Error: err.Error()}
	}
	return judge(q, group.Satisfied)
}

func judge(q question, satisfied func([]byte) bool) reading {
	r := reading{Satisfied: []bool{}}
	for _, checkpoint := range q.Checkpoints {
		r.Satisfied = append(r.Satisfied, satisfied(checkpoint))
	}
	return r
}
