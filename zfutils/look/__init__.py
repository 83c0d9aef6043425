"""Any network on any folder of pictures: pages to be opened in a browser (`python -m zfutils look`)."""
