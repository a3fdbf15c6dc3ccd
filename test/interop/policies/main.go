// Command policies reads policies as torchwood and tessera do, and judges checkpoints by them.
//
// Standard input is a JSON array of {"policy": octets, "checkpoints": [note, ...]}, all in base64.
// Standard output is an array of what each says: whether it reads the policy, and if so, whether the
// policy is satisfied by each of the checkpoints.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"filippo.io/torchwood"
	"github.com/transparency-dev/tessera"
)

type question struct {
	Policy      []byte   `json:"policy"`
	Checkpoints [][]byte `json:"checkpoints"`
}

type reading struct {
	Error     string `json:"error,omitempty"`
	Satisfied []bool `json:"satisfied"`
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
	return judge(q, func(checkpoint []byte) bool {
		_, _, err := torchwood.VerifyCheckpoint(checkpoint, policy)
		return err == nil
	})
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
