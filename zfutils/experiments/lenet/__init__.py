"""Chapter 10: LeNet-5 (LeCun 1998) on digits, seen whole by the methods of Zeiler & Fergus 2013."""
