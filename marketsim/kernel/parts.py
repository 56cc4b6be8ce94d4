"""Parts: compiled functions as they are for other compiled functions, namely code that is not yet the machine's.

Numba makes machine code of every function, all that it calls included, and again for each of its callers; of a deep
tree of functions it compiles the leaves dozens of times. A part is only translated and kept. What is entered from
outside (a call from Python, an address) links all parts that it reaches, each once, and is optimised as one.

It compiles nothing that can be called: ``kernel.compiled`` gives each function its part and its own machine code.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
from numba.core import sigutils
from numba.core.caching import NullCache
from numba.core.codegen import CPUCodeLibrary, JITCodeLibrary
from numba.core.compiler import Compiler, CompileResult
from numba.core.funcdesc import default_mangler
from numba.core.serialize import dumps

from marketsim.kernel.own_code import (
    ADDRESS,
    UNREADABLE,
    fingerprint,
    forget_oldest,
    is_apart,
    short_name,
    write_at_once,
)

_loaded: dict[Path, PartLibrary] = {}


class PartLibrary(JITCodeLibrary):  # type: ignore[misc]
    """The code of one function, and which libraries it calls; never optimised as a whole, never the machine's."""

    place: Path | None = None  # its file, where it has one
    symbol = ""  # by which its callers know it, where it has a file
    _shared_module: Any

    def finalize(self) -> None:
        """Nothing can be added any more."""
        self._raise_if_finalized()
        _shareable(self._final_module)
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """Nowhere: it is not the machine's code."""
        return 0

    def _get_module_for_linking(self) -> Any:
        """The code together with that of every part that it reaches, callers first, each once."""
        self._ensure_finalized()
        if self._shared_module is None:
            whole = self._final_module.clone()
            for library in list(self._reached({self})):
                part = isinstance(library, PartLibrary)
                module = library._final_module if part else library._get_module_for_linking()
                whole.link_in(module, preserve=True)
            self._shared_module = whole
        return self._shared_module

    def _reached(self, met: set[CPUCodeLibrary]) -> Iterator[CPUCodeLibrary]:
        for library in self._linking_libraries:
            if library not in met:
                met.add(library)
                yield library
                if isinstance(library, PartLibrary):
                    yield from library._reached(met)

    def stored(self) -> tuple[str, bytes, list[tuple[Path, str]], list[bytes]] | None:
        """Everything to make it again: name, code, files and symbols of its parts, code of libraries that are none."""
        self._ensure_finalized()
        files, codes = [], []
        for library in self._linking_libraries:
            if not isinstance(library, PartLibrary):
                codes.append(library._get_module_for_linking().as_bitcode())
            elif library.place is not None:
                files.append((library.place, library.symbol))
            else:
                return None
        return self.name, self._final_module.as_bitcode(), files, codes


def _shareable(module: Any) -> None:
    """Let several callers have a copy of the same functions, of which one is kept."""
    for function in module.functions:
        if not function.is_declaration and function.linkage == llvm.Linkage.external:
            function.linkage = "linkonce_odr"


def _name_of(name: str, arguments: Sequence[Any], *, abi_tags: Sequence[str] = (), uid: int | None = None) -> str:
    """The symbol of a function of this name for arguments of these types."""
    kinds = hashlib.blake2b(repr(tuple(arguments)).encode(), digest_size=8).hexdigest()
    return str(default_mangler(name, (), abi_tags=(*abi_tags, kinds), uid=uid))


class PartCompiler(Compiler):  # type: ignore[misc]
    """Numba's own stages, with a part as their result."""

    def compile_extra(self, function: Callable[..., Any]) -> CompileResult:
        """Compile Python into a part."""
        flags = self.state.flags
        flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
        self.state.library = PartLibrary(self.state.targetctx.codegen(), function.__qualname__)
        return super().compile_extra(function)

    def _compile_bytecode(self) -> CompileResult:
        """Numba numbers functions and types as they come; kept code needs names that mean the same in every process."""
        self.state.targetctx.mangler = _name_of
        identity = self.state.func_id
        identity.unique_id = int(fingerprint(identity.func), 16) >> 33  # 63 bits
        identity.unique_name = f"{identity.func_qualname}${identity.unique_id}"
        return super()._compile_bytecode()


class PartCache(NullCache):  # type: ignore[misc]
    """The files of one function's parts, one for each kind of arguments."""

    def __init__(self, function: Callable[..., Any], folder: Path) -> None:
        self._function = function
        self._folder = folder

    @property
    def cache_path(self) -> str:
        """Where its files lie."""
        return str(self._folder)

    def load_overload(self, signature: Any, target: Any) -> CompileResult | None:
        """A part as it was compiled before; None when there is none, or none that can be read."""
        target.refresh()
        place = self._place(signature, target.codegen())
        with suppress(*UNREADABLE):
            return None if place is None else _result_at(place, target)
        return None

    def save_overload(self, signature: Any, result: CompileResult) -> None:
        """Keep a part where that is possible."""
        place = self._place(signature, result.codegen)
        library = result.library
        if place is None or result.lifted or library.has_dynamic_globals or (stored := library.stored()) is None:
            return
        result.fndesc.typemap = result.fndesc.calltypes = None
        content = (stored, result.fndesc, result.environment, result.signature, result.reload_init)
        with suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            write_at_once(place, dumps(content))
            _keep(library, place, result.fndesc.llvm_func_name)
            if is_apart(self._function):
                forget_oldest(self._folder)

    def _place(self, signature: Any, codegen: Any) -> Path | None:
        words = repr((signature, codegen.magic_tuple()))
        if ADDRESS.search(words):  # a function among the arguments: it has another name in each process
            return None
        target = hashlib.blake2b(words.encode(), digest_size=6).hexdigest()
        return self._folder / f"{short_name(self._function)}-{fingerprint(self._function)}-{target}.part"


def _result_at(place: Path, target: Any) -> CompileResult:
    (name, code, files, codes), described, environment, signature, reload = pickle.loads(place.read_bytes())  # noqa: S301 - our own file
    for function in reload:
        function()
    library = _loaded.get(place)
    if library is None:
        library = PartLibrary(target.codegen(), name)
        library._final_module = llvm.parse_bitcode(code)
        library._linking_libraries = [_library_at(file, symbol, target) for file, symbol in files]
        library._linking_libraries += [_foreign(f"{name} {place}", code, target) for place, code in enumerate(codes)]
        library._finalized = True
        _keep(library, place, described.llvm_func_name)
    return CompileResult(
        target_context=target,
        typing_context=target.typing_context,
        library=library,
        environment=environment,
        entry_point=None,
        fndesc=described,
        type_annotation="",
        signature=signature,
        objectmode=False,
        lifted=(),
        typing_error=None,
        call_helper=None,
        metadata=None,
        reload_init=reload,
        referenced_envs=(),
    )


def _keep(library: PartLibrary, place: Path, symbol: str) -> None:
    library.place = place
    library.symbol = symbol
    _loaded[place] = library


def _library_at(place: Path, symbol: str, target: Any) -> PartLibrary:
    """LookupError when the file holds something else by now."""
    library: PartLibrary = _loaded.get(place) or _result_at(place, target).library
    if library.symbol != symbol:
        raise LookupError(f"{place} holds {library.symbol} instead of {symbol}")
    return library


def _foreign(name: str, code: bytes, target: Any) -> PartLibrary:
    """What Numba itself contributed."""
    library = PartLibrary(target.codegen(), name)
    library._final_module = llvm.parse_bitcode(code)
    library._finalized = True
    return library


def offer_part(function: Any, part: Any) -> Any:
    """Let compiled callers of a function be given its part; Python and addresses still have its own machine code."""
    keys: dict[Any, Any] = {}

    def get_call_template(arguments: Any, keywords: Any) -> Any:
        return part.get_call_template(arguments, keywords)

    def get_overload(signature: Any) -> Any:
        arguments, _ = sigutils.normalize_signature(signature)
        result = part.overloads[tuple(arguments)]
        if arguments not in keys:
            keys[arguments] = result.library
            part.targetctx.insert_user_function(result.library, result.fndesc, [result.library])
        return keys[arguments]

    def add_part(result: CompileResult) -> None:
        part.overloads[tuple(result.signature.args)] = result

    def add_overload(result: CompileResult) -> None:
        usual(result)
        for environment in result._find_referenced_environments():
            result.codegen.set_env(environment.env_name, environment)

    usual = function.add_overload
    part.add_overload = add_part
    function.get_call_template = get_call_template
    function.get_overload = get_overload
    function.add_overload = add_overload
    return function
