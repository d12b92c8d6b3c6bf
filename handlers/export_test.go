package handlers

// Golden is golden for the tests that drive the handlers from outside.
var Golden = golden

// OwnProgram lets path stand for the operator's own program.
func OwnProgram(path string) { ownProgram = func() (string, error) { return path, nil } }
