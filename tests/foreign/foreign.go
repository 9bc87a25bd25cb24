// Package foreign points clients that we have not written at the simulator: Oracle's own SDK for Python, and Oracle's own command line.
//
// It stands beside the data's way, as a judge of the judge: what is proven against the simulator is worth as much as the
// simulator is true, and these clients sign, page and decode as Oracle's customers do. What they got is in testdata, for everybody to read;
// where they are installed it is compared, line by line:
//
//	python3 -m venv venv && venv/bin/pip install oci oci-cli
//	OCI_PYTHON=venv/bin/python go test ./tests/foreign -v
package foreign
