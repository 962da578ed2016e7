"""Files of payments in ISO 20022: a customer's initiation comes in and is answered, and payments for the clearing go out.

`pain001` reads an initiation, checked against ISO's schema · `pain002` writes what became of it · `pacs008` writes payments for
the clearing · `queries` reads for these · `service` makes the payments of an initiation, and files for the clearing.
"""
