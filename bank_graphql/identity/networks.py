"""From which networks staff may act. Customers may from any."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

from bank_graphql.identity.enums import UserRole
from bank_graphql.kit.actor import Origin


class StaffNetworks:
    """Admits staff by their addresses.

    Args:
        networks: the networks; empty to admit staff from any.
    """

    def __init__(self, networks: Sequence[IPv4Network | IPv6Network] = ()) -> None:
        self._networks = tuple(networks)
        self._contains = lru_cache(maxsize=4096)(self._find)

    def admit(self, role: UserRole, origin: Origin) -> bool:
        """Return whether a user with this role may act from there. Staff whose address is not known may not."""
        if not self._networks or role == UserRole.CUSTOMER:
            return True
        return origin.ip_address is not None and self._contains(origin.ip_address)

    def _find(self, text: str) -> bool:
        address = ip_address(text)
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)
