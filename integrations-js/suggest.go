package integrations

import "strings"

// suggest ends a message about an unknown name: the nearest known one if it
// is near enough to be a slip of the finger, and all there are.
func suggest(got string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		if d := editDistance(strings.ToLower(got), strings.ToLower(k), distance); d < distance {
			best, distance = k, d
		}
	}
	s := ""
	if best != "" {
		s = "; did you mean \"" + best + "\"?"
	}
	if len(known) == 0 {
		return s
	}
	if s == "" {
		s = ";"
	}
	return s + " There are: " + strings.Join(known, ", ")
}

// editDistance is the Levenshtein distance of a and b, or limit when it is
// that or more.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit || len(a) > 64 {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			above := row[j+1]
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, above, row[j])
			}
			diagonal, row[j+1] = above, cost
		}
	}
	return min(row[len(b)], limit)
}
