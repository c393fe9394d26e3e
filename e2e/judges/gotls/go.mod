module fedway.io/gotls

go 1.26.0
