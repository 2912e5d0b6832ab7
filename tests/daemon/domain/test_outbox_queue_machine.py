"""What may be sent, whatever comes in between: the rules hold at every step, and in the end all is sent."""

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from queueing import queue

from tocsind.domain.outbox_queue import AWAY, MOST_BUNDLED, PLACES, Errand
from tocsind.domain.units import SECOND


@dataclass
class Known:
    """What the machine knows of a message."""

    group: int
    contact: int
    due: int
    failures: int = 0
    log: list[str] = field(default_factory=list)


class Sending(RuleBasedStateMachine):
    """Anything may happen in any order; the rules hold, and in the end all is sent."""

    WAYS = ((0, 8), (0, 4), (2 * SECOND, 4), (0, 1))

    @initialize()
    def begin(self) -> None:
        """An empty queue."""
        self.queue = queue(*self.WAYS)
        self.now = 0
        self.number = 0
        self.known: dict[int, Known] = {}
        self.out: list[Errand] = []
        self.failures: Counter[int] = Counter()

    @rule(group=st.integers(1, 4), contact=st.integers(1, 4), wait=st.sampled_from([0, 0, SECOND, 60 * SECOND]))
    def put(self, group: int, contact: int, wait: int) -> None:
        """A message comes in."""
        self.number += 1
        self.known[self.number] = Known(group, contact, self.now + wait)
        self.queue.add(self.number, group, contact, self.now + wait)

    @rule(most=st.integers(1, 300))
    def take(self, most: int) -> None:
        """Some are sent."""
        for errand in self.queue.take(self.now, most):
            self.check(errand)
            self.out.append(errand)

    def check(self, errand: Errand) -> None:
        """What holds of every errand when it is taken."""
        window, _ = self.WAYS[errand.contact_id - 1]
        under_way = {
            (self.known[i].group, other.contact_id) for other in self.out for i in other.ids if i in self.known
        }
        assert list(errand.ids) == sorted(errand.ids)
        assert len(errand.ids) == 1 or (window and len(errand.ids) <= MOST_BUNDLED)
        for number in errand.ids:
            message = self.known[number]
            pair = (message.group, message.contact)
            assert message.contact == errand.contact_id
            assert message.due <= self.now
            assert pair not in under_way
            under_way.add(pair)
            assert number == min(i for i, each in self.known.items() if (each.group, each.contact) == pair)
        assert min(self.known[i].due for i in errand.ids) + window <= self.now

    @precondition(lambda self: self.out)
    @rule(data=st.data(), done=st.sampled_from([True, True, False, None]), dead=st.booleans())
    def settle(self, data: st.DataObject, done: bool | None, dead: bool) -> None:
        """One is answered, fails, is given up, or could not be begun."""
        errand = self.out.pop(data.draw(st.integers(0, len(self.out) - 1)))
        if done is None:
            self.queue.give_back(errand, self.now)
            return
        is_back = done and self.failures[errand.contact_id] >= AWAY
        self.failures[errand.contact_id] = 0 if done else self.failures[errand.contact_id] + 1
        again = {} if done or dead else {i: self.now + 5 * SECOND for i in errand.ids if i in self.known}
        self.queue.settle(errand, self.now, done, again)
        for number in errand.ids:
            if number in again:
                self.known[number].due = again[number]
                self.known[number].failures += 1
            else:
                self.known.pop(number, None)
        for message in self.known.values():
            if is_back and message.contact == errand.contact_id and message.failures:
                message.due = min(self.now, message.due)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """One that is not under way is cancelled."""
        sent = {i for errand in self.out for i in errand.ids}
        number = data.draw(st.sampled_from(sorted(self.known)))
        if number not in sent:
            del self.known[number]
            self.queue.remove(number)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def hasten(self, data: st.DataObject) -> None:
        """Somebody has one sent now."""
        number = data.draw(st.sampled_from(sorted(self.known)))
        hastened, sent = self.known[number], {i for errand in self.out for i in errand.ids}
        for i, each in self.known.items():
            if i <= number and i not in sent and (each.group, each.contact) == (hastened.group, hastened.contact):
                each.due = min(self.now, each.due)
        self.queue.hasten(number, self.now)

    @rule(span=st.sampled_from([1, SECOND, 10 * SECOND, 100 * SECOND]))
    def wait(self, span: int) -> None:
        """Time passes."""
        self.now += span

    @invariant()
    def limits_hold(self) -> None:
        """So many at once to one, and in all; what is counted is what there is."""
        if not hasattr(self, "queue"):
            return
        counts = Counter(errand.contact_id for errand in self.out)
        for contact, count in counts.items():
            assert count <= self.WAYS[contact - 1][1]
        assert self.queue.under_way == len(self.out) <= PLACES
        assert len(self.queue) == len(self.known)

    def teardown(self) -> None:
        """When receivers work again, everything is sent, and nothing is looked for in vain."""
        if not hasattr(self, "queue"):
            return
        for _ in range(10_000):
            while self.out:
                errand = self.out.pop()
                self.queue.settle(errand, self.now, True)
                for number in errand.ids:
                    self.known.pop(number, None)
            self.take(PLACES)
            if not self.out:
                following = self.queue.next_look()
                if following is None:
                    break
                assert following > self.now
                self.now = following
        assert self.known == {}
        assert len(self.queue) == 0


Sending.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestSending = Sending.TestCase
