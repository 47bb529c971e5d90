"""A server for tests that speaks first: greets with its name, then gives back each line with the name before it.

Arguments are the name and the ports. It listens everywhere, and prints ``listening`` when it does.
"""

from __future__ import annotations

import asyncio
import signal
import sys


async def serve(name: str, ports: list[int]) -> None:
    """Answer until the process is told to end."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = writer.get_extra_info("peername")[0]
        writer.write(f"hello from {name} to {address}\n".encode())
        try:
            while line := await reader.readline():
                writer.write(f"{name}: ".encode() + line)
                await writer.drain()
        except ConnectionError:
            pass
        writer.close()

    servers = [await asyncio.start_server(answer, "0.0.0.0", port) for port in ports]
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    for server in servers:
        server.close()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], [int(port) for port in sys.argv[2:]]))
