from typing import Any, Self

from typing_extensions import disjoint_base

@disjoint_base
class Direct:
    """A hit from bytes to bytes, before the server makes an environ; the edge's base.

    direct: the capsule that the server takes (`app.direct`, include/ph_direct.h); it points
    into this object, which must outlive it. A POST of one of `routes` whose answer lies in
    the exact cache is answered; anything else is not, and reaches the edge as a WSGI call.
    The arguments are those of Edge.
    """

    def __new__(cls, app: Any, **parts: Any) -> Self: ...
    @property
    def direct(self) -> object: ...
