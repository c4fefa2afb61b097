//! Credentials of ChatGPT accounts: reading what a token says about its owner, and redeeming refresh tokens.
