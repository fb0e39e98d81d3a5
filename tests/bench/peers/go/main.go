// The three programs that one writes in Go instead: a queue consumer, a receiver of pushes, a loader of saved files.
//
//	peers pull URL QUEUE DATABASE WORKERS
//	peers listen PORT DATABASE
//	peers replay FILE DATABASE
//
// Each stores a receipt once, under (biz_id, phone), and only that: no checks beyond JSON, no rejects, no states.
package main

import (
	"log"
	"os"
	"strconv"
)

func main() {
	words := os.Args[1:]
	switch {
	case len(words) == 5 && words[0] == "pull":
		workers, err := strconv.Atoi(words[4])
		check(err)
		pull(words[1], words[2], words[3], workers)
	case len(words) == 3 && words[0] == "listen":
		listen(words[1], words[2])
	case len(words) == 3 && words[0] == "replay":
		replay(words[1], words[2])
	default:
		log.Fatal("usage: peers pull|listen|replay ...")
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
