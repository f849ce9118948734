"""What was kept for subscribers in another mode is thrown away: events are not to be told any more."""

import glob
import logging

from fer_edge.errors import UserError
from fer_edge.mqtt.delivery import Folders
from fer_edge.mqtt.journal import SUFFIX
from fer_edge.mqtt.recovery import LEDGER_SUFFIX
from fer_edge.mqtt.spool import MARK_SUFFIX
from fer_edge.mqtt.topics import Topics, client_id

logger = logging.getLogger(__name__)


def forget_events(folders: Folders, topics: Topics) -> None:
    """Removes the store and the notes of earlier runs of this device, and says so where there were any.

    Raises:
        UserError: they cannot be removed, so what is in them could still be told.
    """
    name = glob.escape(client_id(topics.prefix, topics.device))
    found = (
        []
        if folders.state is None
        else sorted((*folders.state.glob(f"{name}.db*"), *folders.state.glob(f"{name}{MARK_SUFFIX}")))
    )
    if folders.runtime is not None:
        for pattern in (f"{name}{SUFFIX}*", f"{name}.*{LEDGER_SUFFIX}"):
            found += sorted(folders.runtime.glob(pattern))
    for path in found:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise UserError(f"{path}: cannot be removed, as privacy.mode aggregate asks: {error.strerror}") from error
    if found:
        logger.info("events of earlier runs are thrown away, as privacy.mode aggregate asks: %d files", len(found))
