"""The exchange: books, matching, fees. It knows no network and no agent."""
