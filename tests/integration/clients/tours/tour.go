// The tour with openapi-generator's Go client: book, list, reschedule, cancel, hand in, export.

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"time"

	client "visits/client"
)

func must(holds bool, what ...interface{}) {
	if !holds {
		panic(fmt.Sprintln(what...))
	}
}

func worked(err error) {
	if refused, known := err.(*client.GenericOpenAPIError); known {
		panic(string(refused.Body()) + refused.Error())
	}
	must(err == nil, err)
}

func main() {
	configuration := client.NewConfiguration()
	configuration.Servers = client.ServerConfigurations{{URL: os.Getenv("VISITS_URL")}}
	api := client.NewAPIClient(configuration)
	as := context.WithValue(context.Background(), client.ContextAccessToken, os.Getenv("VISITS_KEY"))
	start := time.Now().UTC().Truncate(time.Hour).Add(240 * time.Hour)

	house, _, err := api.PropertiesAPI.RegisterProperty(as).
		RegisterPropertyInput(*client.NewRegisterPropertyInput("House", "Seestraße 1", "Europe/Berlin")).Execute()
	worked(err)

	booking := func(number int) client.BookVisitInput {
		// Clocks in Go have nanoseconds.
		wanted := client.NewBookVisitInput(house.Id, start.Add(time.Duration(number)*time.Hour+123456789))
		wanted.SetPlace("At the door")
		visitor := client.NewVisitorInput()
		visitor.SetName("Ada Lovelace")
		visitor.SetEmail("ada@example.com")
		wanted.SetVisitor(*visitor)
		return *wanted
	}

	visit, answer, err := api.VisitsAPI.BookVisit(as).BookVisitInput(booking(0)).IdempotencyKey("go").Execute()
	worked(err)
	must(visit.Date.Equal(start), visit.Date)
	for number := 1; number < 5; number++ {
		_, _, err = api.VisitsAPI.BookVisit(as).BookVisitInput(booking(number)).Execute()
		worked(err)
	}
	_, taken, err := api.VisitsAPI.BookVisit(as).BookVisitInput(booking(0)).Execute()
	must(err != nil && taken.StatusCode == 409, err)

	found, cursor := 0, ""
	for {
		list := api.VisitsAPI.ListVisits(as).PropertyId(house.Id).Limit(2)
		if cursor != "" {
			list = list.Cursor(cursor)
		}
		page, _, err := list.Execute()
		worked(err)
		found += len(page.Items)
		if page.NextCursor.Get() == nil {
			break
		}
		cursor = *page.NextCursor.Get()
	}
	must(found == 5, found)

	later := client.NewChangeVisitInput()
	later.SetDate(start.Add(24 * time.Hour))
	moved, answer, err := api.VisitsAPI.ChangeVisit(as, visit.Id).
		IfMatch(answer.Header.Get("ETag")).ChangeVisitInput(*later).Execute()
	worked(err)
	must(moved.Date.Equal(start.Add(24*time.Hour)), moved.Date)
	ending := client.NewStatusInput("cancelled")
	ending.SetReason("Rain")
	cancelled, _, err := api.VisitsAPI.ChangeStatus(as, visit.Id).
		IfMatch(answer.Header.Get("ETag")).StatusInput(*ending).Execute()
	worked(err)
	must(cancelled.Status == client.CANCELLED, cancelled.Status)

	row := client.NewRowInput(house.Id, start.Add(48*time.Hour))
	row.SetExternalId("row-" + house.Id)
	rows := []client.IntakeInputVisitsInner{{RowInput: row}}
	intake, _, err := api.IntakesAPI.HandIn(as).IntakeInput(*client.NewIntakeInput(rows)).Execute()
	worked(err)
	for tries := 0; tries < 300; tries++ {
		state, _, err := api.IntakesAPI.GetIntake(as, intake.Id).Execute()
		worked(err)
		if state.Status == client.DONE {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	results, _, err := api.IntakesAPI.ListResults(as, intake.Id).Execute()
	worked(err)
	must(len(results.Items) == 1 && results.Items[0].Status == "created", results.Items)

	for format, beginning := range map[string]string{"csv": "id,", "xlsx": "PK", "ics": "BEGIN:VCALENDAR"} {
		file, _, err := api.VisitsAPI.ExportVisits(as).Format(format).PropertyId(house.Id).Execute()
		worked(err)
		content, err := os.ReadFile(file.Name())
		worked(err)
		must(bytes.HasPrefix(content, []byte(beginning)), format)
	}
	fmt.Println("done")
}
