package main

import (
	"bufio"
	"os"
)

// together is how many lines share a transaction.
const together = 10000

// replay stores a file with a receipt on each line.
func replay(saved, path string) {
	file, err := os.Open(saved)
	check(err)
	defer file.Close()
	kept := open(path)
	found := make([]receipt, 0, together)
	flush := func() {
		check(kept.keep([]batch{{receipts: found}}))
		found = found[:0]
	}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		each, err := decode(lines.Bytes())
		check(err)
		if found = append(found, each); len(found) == together {
			flush()
		}
	}
	check(lines.Err())
	flush()
	check(kept.db.Close())
}
