"""What the market says: book, fair price, checksum."""
