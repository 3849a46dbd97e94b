// Prints when Go's cron fires, as the expectation for api/cron.ts:
//
//	go run . > ../../../api/cron.golden.json
//
// Each schedule is read as External Secrets Operator reads spec.syncWindows; "times" are the next ones after each of
// the moments in "from" (RFC 3339), three each, null where there is none.
package main

import (
	"encoding/json"
	"os"
	"time"

	"github.com/robfig/cron/v3"
)

var schedules = []string{
	"* * * * *", "0 22 * * *", "0 9 * * 1-5", "0 2 * * 6", "*/15 * * * *", "5/15 * * * *", "0-30/10 * * * *", "1,2,59 3 * * *",
	"0 0 1 * *", "0 0 31 * *", "0 0 29 2 *", "0 0 30 2 *", "0 0 13 * 5", "0 0 13 * FRI", "0 0 */2 * 1", "0 0 * * */2",
	"0 0 1-7 * MON", "0 0 ? * 1", "0 0 1 * ?", "0 0 1,* * 1", "0 12 1 JAN-mar *", "0 12 * Feb Sun", "0 0 * * 0", "0 0 * * sun,sat",
	"0 0 1 1 *", "0 0 1 */5 *", "0 0 1 2/3 *", "59 23 31 12 *", "0 */5 * * *", "0 20-23 * * *", "0 23/3 * * *", "30 4 1,15 * 5",
	"+5 +4 * * *", "05 004 * * *", "*-5 * * * *", "?/20 * * * *", "*/1 * * * *", "0 0 */1 * 1", "0,, 1,,2 * * *", ", * * * *",
	"0	22   * *	*", " 0 22 * * * ", "0 0 10-20/5 6-8 *", "0 0 * * mon-fri/2", "0 0 * jan/6 *", "0/0 * * * *", "* * * * 7", "60 * * * *",
	"* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 0 *", "* * * 13 *", "5-1 * * * *", "* * * * fri-mon", "1-2-3 * * * *",
	"1/2/3 * * * *", "*/0 * * * *", "a * * * *", "* * * * monday", "* * * * 1.5", "-1 * * * *", "1- * * * *", "*/ * * * *", "/5 * * * *",
	"", "*", "* * * *", "* * * * * *", "not-a-cron", "@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly",
	"@Hourly", " @hourly", "@reboot", "@every 1h", "@every 90s", "@every 1500ms", "@every 10ms", "@every", "@every x", "@every  1h",
	"@every 1h30m", "@every -1h", "@every 0",
}

var from = []string{
	"2026-06-01T22:00:00Z", "2026-06-01T21:59:59.5Z", "2026-12-31T23:59:00Z", "2024-02-28T12:34:56.789Z", "2096-03-01T00:00:00Z",
	"1970-01-01T00:00:00Z", "2026-11-22T06:07:08Z",
}

type result struct {
	Schedule string        `json:"schedule"`
	Refused  bool          `json:"refused,omitempty"`
	Times    [][]*string   `json:"times,omitempty"`
	Every    time.Duration `json:"everyMs,omitempty"`
}

func main() {
	parser := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	var golden struct {
		From    []string `json:"from"`
		Results []result `json:"results"`
	}
	golden.From = from
	for _, text := range schedules {
		schedule, err := parser.Parse(text)
		one := result{Schedule: text, Refused: err != nil}
		if every, ok := schedule.(cron.ConstantDelaySchedule); ok {
			one.Every = every.Delay / time.Millisecond
		} else if err == nil {
			for _, start := range from {
				at, err := time.Parse(time.RFC3339Nano, start)
				if err != nil {
					panic(err)
				}
				times := []*string{}
				for i := 0; i < 3; i++ {
					at = schedule.Next(at)
					if at.IsZero() {
						times = append(times, nil)
						break
					}
					text := at.Format(time.RFC3339)
					times = append(times, &text)
				}
				one.Times = append(one.Times, times)
			}
		}
		golden.Results = append(golden.Results, one)
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", " ")
	if err := out.Encode(golden); err != nil {
		panic(err)
	}
}
