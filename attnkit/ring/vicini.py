"""L'anello visto da un rank: quali blocchi gli servono, che cosa manda e a chi, e quanto può aspettare."""

import torch.distributed as dist


class Ring:
    """L'anello visto da un rank: a ogni passo, che cosa calcola e che cosa scambia, con chi."""

    def __init__(self, n, causal, layout, group, watch):
        self.n, self.causal, self.layout, self.group, self.watch, self.sent = n, causal, layout, group, watch, 0
        self.rank, self.ranks = dist.get_rank(group), dist.get_world_size(group)
        self.hops = [max(step for step in range(self.ranks) if self.tiles((source + step) % self.ranks, source))
                     for source in range(self.ranks)]          # quanto va lontano il blocco di ogni rank: fino all'ultimo a cui serve

    def tiles(self, rank, source):
        """I rettangoli da calcolare fra le query di un rank e le key di un altro: (query, key, causale).

        Le posizioni di un rank crescono: con sé stesso ognuno è causale. Con gli altri, ogni disposizione ha un caso solo:
        tutto, metà, un triangolo, o niente.
        """
        every, half = slice(None), self.n // 2
        if not self.causal or source == rank:
            return [(every, every, self.causal)]
        if self.layout == "contiguous":
            return [(every, every, False)] if source < rank else []
        if self.layout == "zigzag":
            return [(every, slice(half), False)] if source < rank else [(slice(half, None), every, False)]
        return [(every, every, True)] if source < rank else [(slice(1, None), slice(-1), True)] if self.n > 1 else []

    def pass_block(self, step, block, into):
        """Manda avanti il blocco in mano e riceve in `into` quello che lo segue, se servono ancora. Dà come aspettare."""
        sends = [(block, self.rank + 1)] if self.goes_on(self.rank - step, step) else []
        receives = [(into, self.rank - 1)] if self.goes_on(self.rank - 1 - step, step) else []
        return self.post(f"il blocco, al passo {step}", 0, sends, receives)

    def pass_gradients(self, step, given, into, home):
        """I gradienti seguono il loro blocco; dove si ferma tornano dal suo rank, in `home`, con un passo solo. Dà come aspettare."""
        source, last = (self.rank - step) % self.ranks, self.hops[self.rank]
        sends, receives = [], [(into, self.rank - 1)] if self.goes_on(self.rank - 1 - step, step) else []
        if step <= self.hops[source] > 0:
            sends.append((given, self.rank + 1 if self.goes_on(source, step) else source))
        if step == last > 0:
            receives.append((home, self.rank + last))
        elif step == last:                                     # il blocco di questo rank non si è mosso
            for mine, t in zip(home, given):
                mine.copy_(t)
        return self.post(f"i gradienti, al passo {step}", 2, sends, receives)

    def goes_on(self, source, step):
        """True se dopo quel passo il blocco di `source` va dal rank che lo tiene al seguente."""
        return step < self.hops[source % self.ranks]

    def post(self, what, tag, sends, receives):
        """Spedisce e prenota dei tensori, in coppie (tensori, rank); chiamando il risultato si aspetta che sia fatta."""
        operations, names = [], []
        for operation, verb, pairs in ((dist.irecv, "aspettava dal", receives), (dist.isend, "mandava al", sends)):
            for tensors, peer in pairs:
                peer %= self.ranks
                address = peer if self.group is None else dist.get_global_rank(self.group, peer)
                operations += [dist.P2POp(operation, t, address, self.group, tag + n) for n, t in enumerate(tensors)]
                names += [f"{verb} rank {peer}"] * len(tensors)
        self.sent += sum(t.nbytes for tensors, _ in sends for t in tensors)
        doing = " e ".join(dict.fromkeys(names))
        try:
            requests = dist.batch_isend_irecv(operations) if operations else []
        except RuntimeError as error:
            raise RuntimeError(f"Il rank {self.rank} {doing} {what}: {error}") from error

        def wait():
            for request, name in zip(requests, names):
                try:
                    request.wait()
                except RuntimeError as error:
                    raise RuntimeError(f"Il rank {self.rank} {name} {what}: {error}") from error
        return wait

    def tell(self):
        """Dice a chi guarda quanti byte sono partiti dall'ultima volta."""
        if self.watch:
            self.watch(self.sent)
        self.sent = 0
