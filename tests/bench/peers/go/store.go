package main

import (
	"database/sql"
	"encoding/json"

	_ "github.com/mattn/go-sqlite3"
)

// most is how many batches share a transaction.
const most = 256

type receipt struct {
	BizID string `json:"biz_id"`
	Phone string `json:"phone_number"`
	body  string
}

// batch is what one request brought; done gets the outcome of its commit.
type batch struct {
	receipts []receipt
	done     chan error
}

type store struct {
	db     *sql.DB
	insert *sql.Stmt
}

// decode reads the key of one receipt.
func decode(body []byte) (receipt, error) {
	var found receipt
	err := json.Unmarshal(body, &found)
	found.body = string(body)
	return found, err
}

func open(path string) *store {
	db, err := sql.Open("sqlite3", "file:"+path+"?_journal_mode=WAL&_synchronous=FULL&_busy_timeout=30000")
	check(err)
	db.SetMaxOpenConns(1)
	_, err = db.Exec("CREATE TABLE IF NOT EXISTS receipt (biz_id TEXT, phone TEXT, body TEXT, PRIMARY KEY (biz_id, phone))")
	check(err)
	insert, err := db.Prepare("INSERT OR IGNORE INTO receipt VALUES (?, ?, ?)")
	check(err)
	return &store{db, insert}
}

func (s *store) keep(batches []batch) error {
	transaction, err := s.db.Begin()
	if err != nil {
		return err
	}
	insert := transaction.Stmt(s.insert)
	for _, each := range batches {
		for _, found := range each.receipts {
			if _, err := insert.Exec(found.BizID, found.Phone, found.body); err != nil {
				transaction.Rollback()
				return err
			}
		}
	}
	return transaction.Commit()
}

// commit stores what waits in one transaction, until batches is closed.
func (s *store) commit(batches <-chan batch) {
	for first := range batches {
		group := []batch{first}
	waiting:
		for len(group) < most {
			select {
			case next, more := <-batches:
				if !more {
					break waiting
				}
				group = append(group, next)
			default:
				break waiting
			}
		}
		err := s.keep(group)
		for _, each := range group {
			each.done <- err
		}
	}
}
