// A js-libp2p node, told by JSON lines on stdin what to do: {do: <name>, ...}. Each gets one JSON line in answer, in
// order: {ok: ...} or {error: ...}. The first line it writes says who it is. It ends when its input does.
import { createInterface } from 'node:readline'
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { peerIdFromString } from '@libp2p/peer-id'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { BLOCKS, Store } from './blocks.mjs'

const node = await createLibp2p({
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify(), ping: ping(), pubsub: gossipsub() }
})
const store = new Store()
const heard = []
node.services.pubsub.addEventListener('message', ({ detail }) => {
  heard.push({ author: detail.from?.toString(), hex: Buffer.from(detail.data).toString('hex') })
})
const identified = new Map()
node.addEventListener('peer:identify', ({ detail }) => identified.set(detail.peerId.toString(), detail))
const once = (target, event) => new Promise(resolve => target.addEventListener(event, resolve, { once: true }))
const open = ({ peer, protocol }) => node.dialProtocol(peerIdFromString(peer), protocol)

const commands = {
  dial: async ({ address }) => {
    const connection = await node.dial(multiaddr(address))
    return { peer: connection.remotePeer.toString(), security: connection.encryption, muxer: connection.multiplexer }
  },
  // What the peer said of itself: asked by itself on every new connection, and a second stream for it would be refused.
  identify: async ({ peer }) => {
    while (!identified.has(peer)) await once(node, 'peer:identify')
    const { peerId, protocols, listenAddrs } = identified.get(peer)
    return { peer: peerId.toString(), protocols, addresses: listenAddrs.map(String) }
  },
  ping: ({ peer }) => node.services.ping.ping(peerIdFromString(peer)),
  connected: () => node.getPeers().map(String),
  put: ({ size, seed }) => store.put(size, seed),
  serve: ({ lie }) => node.handle(BLOCKS, stream => store.serve(stream, lie)),
  fetch: async ({ peer, cid }) => store.fetch(await open({ peer, protocol: BLOCKS }), cid),
  // A stream of the protocol, and these bytes on it; what the other side answers before it ends the stream.
  write: async ({ peer, protocol, hex }) => {
    const stream = await open({ peer, protocol })
    const answer = []
    try {
      stream.send(Buffer.from(hex, 'hex'))
      for await (const piece of stream) answer.push(piece.subarray())
    } catch {} // reset by the other side
    return Buffer.concat(answer).toString('hex')
  },
  subscribe: ({ topic }) => node.services.pubsub.subscribe(topic),
  meshed: ({ topic }) => node.services.pubsub.getMeshPeers(topic),
  publish: async ({ topic, hex }) => {
    const { recipients } = await node.services.pubsub.publish(topic, Buffer.from(hex, 'hex'))
    return recipients.length
  },
  heard: () => heard
}

const say = value => process.stdout.write(JSON.stringify(value) + '\n')
say({ peer: node.peerId.toString(), address: node.getMultiaddrs()[0].toString() })
for await (const line of createInterface({ input: process.stdin })) {
  const { do: name, ...rest } = JSON.parse(line)
  try {
    say({ ok: await commands[name](rest) ?? null })
  } catch (error) {
    say({ error: `${error.name}: ${error.message}` })
  }
}
process.exit(0)
