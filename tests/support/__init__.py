"""What the tests share: clients, processes, builders."""
