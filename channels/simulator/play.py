"""What people do with their telephones: write, send files, press buttons, read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from channels.contract import Button, Place
from channels.simulator import opt_out, telegram_update, twilio_inbound
from channels.simulator.carrier import Carrier, Written
from channels.simulator.message import File, Message, Said, split
from channels.simulator.people import Person
from channels.simulator.post import Post
from channels.simulator.telegram_bot import Bot
from channels.simulator.twilio_callbacks import Callbacks
from channels.simulator.unplayable import Unplayable
from channels.simulator.world import World


class Play:
    """The players' side of a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.post = Post(world)
        self.bot = Bot(world)
        self.callbacks = Callbacks(world, self.post)
        self._carrier = Carrier(world, self.post, self.bot)

    def file(self, scheme: str, name: str, type: str, content: bytes) -> File:
        """A file to send, with an id as its provider gives them."""
        sid = self.world.sid("ME")
        return File(sid if scheme != "telegram" else f"BQACAgQAAxkBAA{sid[2:]}", name, type, content)

    async def write(
        self,
        scheme: str,
        person: str,
        text: str = "",
        files: Sequence[File] = (),
        place: Place | None = None,
        button: str | None = None,
        message_id: str | None = None,
        forged: bool = False,
        retry: bool = False,
    ) -> Written:
        """A person's message was posted to the house's webhook. Raises Unplayable.

        Files and a place are messages of their own where the telephone makes them so. `button` is what a button gives
        back that is pressed instead. `message_id` names the first message (on Telegram the update); one that was
        posted before is posted again, as it was. A forged one is nobody's: it leaves no trace here. With `retry`
        Telegram's update is tried until it is taken, and nobody waits for that.
        """
        if message_id and message_id in self.world.posted:
            return await self._carrier.again(scheme, message_id, forged)
        if button is not None:
            return await self.press(scheme, person, button, None, message_id, forged, retry)
        writer, said, written = self._writer(scheme, person), split(scheme, text, files, place), Written()
        album = self.world.sid("")[:17] if len(files) > 1 else ""
        for part in said:
            message = self._message(writer, part, message_id if not written.ids else None)
            opt = self._opt(writer, message)
            payload = self._payload(writer, message, opt, album if part.files else "")
            if not forged:
                self._act(writer, opt)
            await self._carrier.carry(message, payload, written, forged, retry)
            if opt and not forged:
                self._answer(writer, opt_out.ANSWERS[opt])
        return written

    async def press(
        self,
        scheme: str,
        person: str,
        token: str,
        message_id: str | None = None,
        id: str | None = None,
        forged: bool = False,
        retry: bool = False,
    ) -> Written:
        """A button was pressed: of that message of ours, else of the newest that has it, else of one long gone."""
        if scheme == "sms":
            raise Unplayable("an SMS has no buttons")
        writer, written = self._writer(scheme, person), Written()
        offer = self.world.find(message_id) if message_id else self._offer(scheme, person, token)
        button = (offer.button(token) if offer else None) or Button(token, token)
        message = self._message(writer, Said(button.title), id)
        message.pressed = token
        if scheme == "telegram":
            payload = telegram_update.of_press(self.world, writer, int(message.id), button, offer)
            self.world.queries[payload["callback_query"]["id"]] = False
        else:
            payload = twilio_inbound.pressed(twilio_inbound.form(self.world, writer, message), button, offer)
        if not forged:
            self._act(writer)
        await self._carrier.carry(message, payload, written, forged, retry)
        return written

    async def read(self, scheme: str, person: str) -> int:
        """The person has seen what arrived. How many messages of WhatsApp's are read by that, which the house hears."""
        if scheme != "whatsapp":
            return 0
        seen = [m for m in self.world.conversation(scheme, person) if m.outgoing and m.state == "delivered"]
        for message in seen:
            message.advance("read", self.world.clock())
        for message in seen:
            await self.callbacks.tell(message, "read")
        return len(seen)

    def _writer(self, scheme: str, person: str) -> Person:
        writer = self.world.person(scheme, person)
        if scheme == "sms" and not self.world.own_number("sms").removeprefix("+").isdigit():
            raise Unplayable("nobody can write to a name")
        return writer

    def _message(self, writer: Person, said: Said, id: str | None) -> Message:
        if writer.scheme == "telegram":
            id = id or str(self.world.update_number())
            if not (id.isascii() and id.isdigit()):
                raise Unplayable("the id of an update is a number")
        text = said.text
        if writer.scheme == "whatsapp" and said.files and not text and said.files[0].type.startswith("application/"):
            text = said.files[0].name  # the caption of a document without one
        return Message(
            id or self.world.sid("MM" if said.files else "SM"), writer.scheme, writer.identifier, False, text,
            self.world.clock(), "sending", files=said.files, place=said.place,
        )  # fmt: skip

    def _payload(self, writer: Person, message: Message, opt: str, album: str) -> Mapping[str, Any]:
        if writer.scheme == "telegram":
            return telegram_update.of_message(self.world, writer, message, album)
        return twilio_inbound.form(self.world, writer, message, opt if self._is_service else "")

    def _act(self, writer: Person, opt: str = "") -> None:
        """That the person has written has its consequences."""
        writer.wrote_at = self.world.clock()
        writer.blocked = writer.blocked and writer.scheme != "telegram"  # who writes to a bot has let it in again
        opt_out.obey(opt, writer)

    def _opt(self, writer: Person, message: Message) -> str:
        return opt_out.word(message.text, writer, self._is_service) if writer.scheme == "sms" else ""

    @property
    def _is_service(self) -> bool:
        return self.world.sms_from.startswith("MG")

    def _answer(self, writer: Person, text: str) -> None:
        """Twilio's own answer to a word of its own."""
        now = self.world.clock()
        self.world.keep(
            Message(
                self.world.sid("SM"), writer.scheme, writer.identifier, True, text, now, "delivered",
                own=True, sender=self.world.own_number(writer.scheme), sent_at=now,
            )
        )  # fmt: skip

    def _offer(self, scheme: str, person: str, token: str) -> Message | None:
        """The newest message of ours that has the button."""
        ours = (message for message in reversed(self.world.conversation(scheme, person)) if message.outgoing)
        return next((message for message in ours if message.button(token)), None)
