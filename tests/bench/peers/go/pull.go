package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"sync"
	"time"
)

const version = "2015-06-06"

type message struct {
	ReceiptHandle string
	MessageBody   string
}

type messages struct {
	Message []message
}

type queue struct {
	client   *http.Client
	url      string
	resource string
	id       string
	secret   []byte
}

// call sends one signed request.
func (q *queue) call(method, query, body string) (int, []byte) {
	kind := ""
	if body != "" {
		kind = "text/xml"
	}
	date := time.Now().UTC().Format(http.TimeFormat)
	signature := hmac.New(sha1.New, q.secret)
	fmt.Fprintf(signature, "%s\n\n%s\n%s\nx-mns-version:%s\n%s%s", method, kind, date, version, q.resource, query)
	request, err := http.NewRequest(method, q.url+q.resource+query, bytes.NewReader([]byte(body)))
	check(err)
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	request.Header.Set("Date", date)
	request.Header.Set("x-mns-version", version)
	request.Header.Set("Authorization", "MNS "+q.id+":"+base64.StdEncoding.EncodeToString(signature.Sum(nil)))
	answer, err := q.client.Do(request)
	check(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	check(err)
	return answer.StatusCode, text
}

func (q *queue) receive() []message {
	status, text := q.call("GET", "?numOfMessages=16&waitseconds=1", "")
	if status == http.StatusNotFound && bytes.Contains(text, []byte("MessageNotExist")) {
		return nil
	}
	if status != http.StatusOK {
		log.Fatalf("receive: %d %s", status, text)
	}
	var found messages
	check(xml.Unmarshal(text, &found))
	return found.Message
}

func (q *queue) delete(gone []message) {
	var body bytes.Buffer
	body.WriteString(`<?xml version="1.0" encoding="utf-8"?><ReceiptHandles xmlns="http://mns.aliyuncs.com/doc/v1/">`)
	for _, each := range gone {
		body.WriteString("<ReceiptHandle>")
		check(xml.EscapeText(&body, []byte(each.ReceiptHandle)))
		body.WriteString("</ReceiptHandle>")
	}
	body.WriteString("</ReceiptHandles>")
	if status, text := q.call("DELETE", "", body.String()); status != http.StatusNoContent {
		log.Fatalf("delete: %d %s", status, text)
	}
}

// drain receives, waits for the commit and deletes, until the queue is empty.
func (q *queue) drain(batches chan<- batch) {
	done := make(chan error, 1)
	for {
		found := q.receive()
		if found == nil {
			return
		}
		receipts := make([]receipt, len(found))
		for n, each := range found {
			body, err := base64.StdEncoding.DecodeString(each.MessageBody)
			check(err)
			receipts[n], err = decode(body)
			check(err)
		}
		batches <- batch{receipts, done}
		check(<-done)
		q.delete(found)
	}
}

func pull(url, name, path string, workers int) {
	q := &queue{
		client:   &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers, DisableCompression: true}},
		url:      url,
		resource: "/queues/" + name + "/messages",
		id:       os.Getenv("ALIBABA_CLOUD_ACCESS_KEY_ID"),
		secret:   []byte(os.Getenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET")),
	}
	batches := make(chan batch, workers)
	go open(path).commit(batches)
	var running sync.WaitGroup
	for n := 0; n < workers; n++ {
		running.Add(1)
		go func() {
			defer running.Done()
			q.drain(batches)
		}()
	}
	running.Wait()
}
