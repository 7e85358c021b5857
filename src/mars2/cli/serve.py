"""``mars2 serve``: an OpenAI-compatible endpoint that answers with tree search."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mars2.cli.addresses import is_loopback
from mars2.cli.output import end_on_signals, run_async, say
from mars2.cli.parameters import AgentsOption, ConfigOption, MaxTokensOption, RunOption, SetOption
from mars2.config.load import parse_settings
from mars2.core.errors import ConfigError
from mars2.jobs.options import SolveOptions

if TYPE_CHECKING:
    import uvicorn

    from mars2.config.run import RunConfig
    from mars2.jobs.team import Setup

HELP = """Serve a team behind an OpenAI-compatible chat endpoint; every answer is a tree search.

The last user message is the problem. Its examples become public tests, or tests come in the request's field `mars2`.

Examples:

    mars2 serve --agents Qwen/Qwen2.5-Coder-0.5B-Instruct --budget 8

    mars2 serve --agents a=vllm:models/qwen-0.5b,b=vllm:models/qwen-1.5b --port 9000

    curl http://127.0.0.1:8080/v1/chat/completions -H 'Content-Type: application/json' -d '{"model": "mars2",
    "messages": [{"role": "user", "content": "Read two numbers, print their sum."}],
    "mars2": {"tests": [{"input": "1 2", "output": "3"}], "budget": 4}}'
"""


def register(app: typer.Typer) -> None:
    app.command(help=HELP)(serve)


def serve(
    agents: AgentsOption = None,
    config: ConfigOption = None,
    run: RunOption = None,
    name: Annotated[str, typer.Option(help="The model's name for clients.")] = "mars2",
    strategy: Annotated[str, typer.Option(help="As for `mars2 solve`.")] = "t_plus",
    budget: Annotated[int, typer.Option(min=1, help="Programs a request; a request may ask for fewer.")] = 16,
    parallel: Annotated[int, typer.Option(min=1, help="Programs being written at once, per request.")] = 4,
    max_tokens: MaxTokensOption = None,
    max_searches: Annotated[int, typer.Option(min=1, help="Requests at once; one more gets 429.")] = 8,
    max_request_kib: Annotated[int, typer.Option(min=1, help="Longest request; a longer one gets 413.")] = 1024,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Spend the whole budget even after a program passes all tests.")
    ] = False,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free port.")] = 8080,
    api_key_env: Annotated[
        str, typer.Option(help="Environment variable with the key that clients must send; unset: no key.")
    ] = "MARS2_API_KEY",
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(help="A web site whose pages may ask (CORS), such as https://app.example; repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of requests that bring none.")] = 0,
    set_: SetOption = None,
) -> None:
    from mars2.jobs.solve import solve_setup
    from mars2.serve.app import allowed_origins

    end_on_signals()
    api_key = os.environ.get(api_key_env) or None
    origins = allowed_origins(allow_origin or (), api_key=api_key)
    if api_key is None and not is_loopback(host):
        say(f"warning: listening on {host} without a key: anybody who reaches it can run searches; set {api_key_env}")
    setup = solve_setup(
        SolveOptions(
            agents=agents,
            config=config,
            run=run,
            budget=budget,
            strategy=strategy,
            parallel=parallel,
            max_tokens=max_tokens,
            seed=seed,
            keep_going=keep_going,
            settings=parse_settings(set_) | {"rollout.lockstep": False},
        )
    )
    run_async(
        _serve(
            setup,
            (host, port),
            name=name,
            max_searches=max_searches,
            max_request_bytes=max_request_kib * 1024,
            api_key=api_key,
            origins=origins,
        ),
        when_interrupted="stopped",
    )


async def _serve(setup: Setup, address: tuple[str, int], **options: Any) -> None:
    from mars2.jobs.team import load_models, load_team
    from mars2.serve.app import Server
    from mars2.serve.listening import Listener

    host, port = address
    config = setup.config
    team = await load_team(config, await load_models(config, trained=setup.trained))
    try:
        server = Listener(Server(config, team, **options), host, port)
        announcing = asyncio.create_task(_announce(server, config))
        await server.serve()
        announcing.cancel()
    except (SystemExit, UnicodeError):  # uvicorn's; of a name that is none
        raise ConfigError(f"--host, --port: cannot listen on {host}:{port}; choose another") from None
    finally:
        await team.close()


async def _announce(server: uvicorn.Server, config: RunConfig) -> None:
    while not server.started:  # noqa: ASYNC110  (uvicorn has no event for it)
        await asyncio.sleep(0.05)
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    say(f"serving {', '.join(config.agents)} at http://{host}:{port}/v1 (Ctrl-C stops)")
