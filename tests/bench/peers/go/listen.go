package main

import (
	"encoding/json"
	"io"
	"net/http"
)

// listen answers each push after its receipts are committed; what arrives during a commit shares the next one.
func listen(port, path string) {
	batches := make(chan batch, most)
	go open(path).commit(batches)
	http.HandleFunc("/callback", func(answer http.ResponseWriter, request *http.Request) {
		text, err := io.ReadAll(request.Body)
		if err != nil {
			return
		}
		var bodies []json.RawMessage
		if err := json.Unmarshal(text, &bodies); err != nil {
			http.Error(answer, "no array", http.StatusBadRequest)
			return
		}
		receipts := make([]receipt, len(bodies))
		for n, body := range bodies {
			if receipts[n], err = decode(body); err != nil {
				http.Error(answer, "no receipt", http.StatusBadRequest)
				return
			}
		}
		done := make(chan error, 1)
		batches <- batch{receipts, done}
		if <-done != nil {
			http.Error(answer, "not stored", http.StatusServiceUnavailable)
			return
		}
		answer.Header().Set("Content-Type", "application/json;charset=utf-8")
		io.WriteString(answer, `{"code":0,"msg":"成功"}`)
	})
	check(http.ListenAndServe("127.0.0.1:"+port, nil))
}
