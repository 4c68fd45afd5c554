"""What an AWS request asks for, read with AWS's own service models, and what is wrong with it."""
