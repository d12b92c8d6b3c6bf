package handlers

// Golden is golden for the tests that drive the handlers from outside.
var Golden = golden
