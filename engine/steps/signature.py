"""The contract in a function's signature: how arguments become Python values, how a result becomes JSON.

The one rule: a signature that cannot be checked is refused where the step is written, not where it runs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from types import FunctionType
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError, create_model
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import DataclassSchema, ModelSchema

from engine.steps.context import StepContext

_PREFIX = "arg_"
"""Before the names of fields (the argument's own is the alias), since a model cannot have a field named ``json``."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function takes and gives, ready to be checked."""

    arguments: type[BaseModel]
    result: TypeAdapter[Any]
    schema: dict[str, Any]
    result_schema: dict[str, Any]
    """JSON schema of what ``dump`` gives; an empty one where the type has none."""
    takes_context: bool
    takes_model: bool
    """Whether the function has its arguments as one model, by position, instead of each by keyword."""
    is_async: bool

    @classmethod
    def of(cls, fn: Callable[..., Any]) -> Signature:
        """Reads ``fn``. ``TypeError`` for missing annotations and for arguments that have no name to be given by.

        Arguments are keywords, each checked by its annotation; or one positional-only pydantic model, whose fields are
        the arguments, where there are many of them or where they depend on each other.

        A function that is made anew, with other things around it, is not read anew.
        """
        key = _what_is_read(fn)
        if key is None:
            return cls._read(fn)
        if key not in _READ:
            _READ[key] = cls._read(fn)
        return _READ[key]

    @classmethod
    def _read(cls, fn: Callable[..., Any]) -> Signature:
        hints = get_type_hints(fn, include_extras=True)
        if "return" not in hints:
            raise TypeError(f"{_called(fn)} must say the type of its result")
        parameters = list(inspect.signature(fn).parameters.values())
        takes_context = bool(parameters) and hints.get(parameters[0].name) is StepContext
        model = _single_model(parameters[takes_context:], hints)
        arguments = model or _arguments_model(fn, parameters[takes_context:], hints)
        result = TypeAdapter[Any](hints["return"])
        return cls(
            arguments=arguments,
            result=result,
            schema=_schema(arguments),
            result_schema=_result_schema(result),
            takes_context=takes_context,
            takes_model=model is not None,
            is_async=inspect.iscoroutinefunction(fn),
        )

    def bind(self, fn: Callable[..., Any], ctx: StepContext, args: Mapping[str, JsonValue]) -> Callable[[], Any]:
        """The call of ``fn`` with ``args``, ready to be made. ``pydantic.ValidationError`` if they do not fit."""
        positional: list[Any] = [ctx] if self.takes_context else []
        model = self.arguments.model_validate(dict(args))
        if self.takes_model:
            return partial(fn, *positional, model)
        return partial(fn, *positional, **self._keywords(model))

    def problems(self, args: Mapping[str, JsonValue]) -> dict[str, str]:
        """One sentence for each argument that does not fit, by its name; by none for what is wrong with all together.

        The values are not in it, as in ``in_words``.
        """
        try:
            self.arguments.model_validate(dict(args))
        except ValidationError as error:
            return by_name(error)
        return {}

    @staticmethod
    def _keywords(model: BaseModel) -> dict[str, Any]:
        named = {name.removeprefix(_PREFIX): getattr(model, name) for name in type(model).model_fields}
        return named | (model.model_extra or {})

    def dump(self, result: object) -> Any:
        """``result`` as plain data. ``pydantic.ValidationError`` if it is not of the promised type.

        Not yet as JSON: pydantic's JSON mode would turn a NaN into null without a word.
        """
        return self.result.dump_python(self.result.validate_python(result))


def by_name(error: ValidationError, whole: str = "it") -> dict[str, str]:
    """What pydantic found wrong, one sentence for each name that it begins with; without the values."""
    found: dict[str, list[str]] = {}
    for problem in error.errors(include_url=False, include_input=False):
        name = str(next(iter(problem["loc"]), ""))
        words = _complaint(_place(problem["loc"]) or whole, problem["type"], problem["msg"])
        found.setdefault(name, []).append(words)
    return {name: "; ".join(words) for name, words in found.items()}


_READ: dict[Hashable, Signature] = {}
"""What was read, by all that it was read from."""


def _what_is_read(fn: Callable[..., Any]) -> Hashable | None:
    """Equal for functions with the same signature; None where that cannot be told."""
    if not isinstance(fn, FunctionType) or fn.__defaults__ or fn.__kwdefaults__ or hasattr(fn, "__wrapped__"):
        return None
    if not all(isinstance(hint, str | type) for hint in fn.__annotations__.values()):
        return None
    # Annotations are texts about the names of one module, and codes of two modules may be equal.
    return (fn.__code__, fn.__code__.co_filename, id(fn.__globals__), *fn.__annotations__.items())


def in_words(error: ValidationError, whole: str = "it") -> str:
    """All that pydantic found wrong, as one line for people, without the values (one of them may be a secret)."""
    return "; ".join(
        _complaint(_place(problem["loc"]) or whole, problem["type"], problem["msg"])
        for problem in error.errors(include_url=False, include_input=False)
    )


def _complaint(where: str, kind: str, message: str) -> str:
    if kind == "missing":
        return f"{where} is missing"
    if kind == "extra_forbidden":
        return f"{where} is not a known name"
    for start, ours in (("Input should ", "must "), ("Value error, ", ""), ("Assertion failed, ", "")):
        if message.startswith(start):
            message = ours + message.removeprefix(start)
            return f"{where} {message}" if ours else f"{where}: {message}"
    return f"{where}: {message}"


def _place(location: tuple[int | str, ...]) -> str:
    """``("headers", 0, "name")`` as ``headers[0].name``."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def _arguments_model(
    fn: Callable[..., Any], parameters: list[inspect.Parameter], hints: dict[str, Any]
) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    any_name = False
    for parameter in parameters:
        if parameter.kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL):
            raise TypeError(f"{_called(fn)}: steps are called by keyword, but {parameter} is positional")
        if parameter.name not in hints:
            raise TypeError(f"{_called(fn)} must say the type of {parameter.name}")
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            any_name = True
            continue
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        fields[_PREFIX + parameter.name] = (hints[parameter.name], Field(default=default, alias=parameter.name))
    config = ConfigDict(extra="allow" if any_name else "forbid", arbitrary_types_allowed=False)
    return create_model("Arguments", __config__=config, **fields)


def _single_model(parameters: list[inspect.Parameter], hints: dict[str, Any]) -> type[BaseModel] | None:
    if len(parameters) != 1 or parameters[0].kind is not inspect.Parameter.POSITIONAL_ONLY:
        return None
    hint = hints.get(parameters[0].name)
    return hint if inspect.isclass(hint) and issubclass(hint, BaseModel) else None


def _schema(arguments: type[BaseModel]) -> dict[str, Any]:
    schema = arguments.model_json_schema(by_alias=True)
    schema.pop("title", None)
    schema.pop("description", None)
    for definition in schema.get("properties", {}).values():
        definition.pop("title", None)
    return schema


class _Exact(GenerateJsonSchema):
    """What is dumped from a class with fields has these fields and no others, which the library leaves unsaid."""

    def dataclass_schema(self, schema: DataclassSchema) -> JsonSchemaValue:
        made = super().dataclass_schema(schema)
        return {"additionalProperties": False, **made} if made.get("type") == "object" else made

    def model_schema(self, schema: ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        return {"additionalProperties": False, **made} if made.get("type") == "object" else made


def _result_schema(result: TypeAdapter[Any]) -> dict[str, Any]:
    try:
        return result.json_schema(mode="serialization", schema_generator=_Exact)
    except PydanticInvalidForJsonSchema:
        return {}


def _called(fn: Callable[..., Any]) -> str:
    return getattr(fn, "__qualname__", repr(fn))
