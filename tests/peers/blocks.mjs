// `/foedus/blocks/1` as docs/network.md publishes it: 36-byte binary CIDs one way; the other way, for each in order, a
// status byte (0 not held, 1 held), a 4-byte big-endian length and the block.
import { createHash } from 'node:crypto'
import * as dagPb from '@ipld/dag-pb'
import { byteStream } from '@libp2p/utils'
import { importer } from 'ipfs-unixfs-importer'
import { CID } from 'multiformats/cid'
import { sha256 } from 'multiformats/hashes/sha2'

export const BLOCKS = '/foedus/blocks/1'
const CID_BYTES = 36

export class Store {
  held = new Map() // CID text -> bytes

  // Cut `size` bytes that SHAKE-256 makes of the seed into blocks, by the library's own reading of IPIP-499.
  put (size, seed) {
    return this.add(createHash('shake256', { outputLength: size }).update(String(seed)).digest())
  }

  async add (content) {
    const blockstore = { put: async (cid, bytes) => this.held.set(cid.toString(), bytes) }
    let root
    for await (const { cid } of importer([{ content }], blockstore, { profile: 'unixfs-v1-2025' })) root = cid
    return root.toString()
  }

  async serve (stream, lie = false) {
    const bytes = byteStream(stream)
    while (true) {
      let binary
      try {
        binary = await bytes.read({ bytes: CID_BYTES })
      } catch {
        return await stream.close() // the requester has all that it wanted
      }
      const block = this.held.get(CID.decode(binary.subarray()).toString())
      const head = Buffer.alloc(5)
      head.writeUInt8(block ? 1 : 0)
      head.writeUInt32BE(block?.length ?? 0, 1)
      await bytes.write(head)
      if (block) await bytes.write(lie ? Buffer.alloc(block.length) : block)
    }
  }

  // The blob, block by block, each hashed here; then the CID that the library gives to what arrived.
  async fetch (stream, text) {
    const bytes = byteStream(stream)
    const pieces = []
    let blocks = 0
    const pull = async wanted => {
      for (const cid of wanted) await bytes.write(cid.bytes)
      for (const cid of wanted) {
        const [status, ...length] = (await bytes.read({ bytes: 5 })).subarray()
        if (status !== 1) throw new Error(`status ${status} for ${cid}`)
        const block = (await bytes.read({ bytes: Buffer.from(length).readUInt32BE() })).subarray()
        if (!CID.createV1(cid.code, await sha256.digest(block)).equals(cid)) throw new Error(`not ${cid}`)
        blocks += 1
        if (cid.code === dagPb.code) await pull(dagPb.decode(block).Links.map(link => link.Hash))
        else pieces.push(block)
      }
    }
    await pull([CID.parse(text)])
    await stream.close()
    const blob = Buffer.concat(pieces)
    const digest = createHash('sha256').update(blob).digest('hex')
    return { blocks, size: blob.length, cid: await this.add(blob), sha256: digest }
  }
}
