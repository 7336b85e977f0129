// Prints what one of face-api.js' networks makes of raw inputs (height x width x 3 bytes each), as JSON.
// node face_api_nets.mjs PACKAGE NET INPUTS
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, kind, inputs] = process.argv.slice(2);

// The bundle is for browsers and fails at a look-up of node's own modules unless it believes to be in one.
globalThis.window = globalThis;
globalThis.document = { createElement: () => ({}) };
const faceapi = await import(pathToFileURL(path.resolve(folder, 'dist/face-api.esm.js')));
const { tf } = faceapi;
await tf.setBackend('cpu');
await tf.ready();

const NETS = {
  face_expression: {
    size: 112,
    net: new faceapi.FaceExpressionNet(),
    run: async (net, face) => ({
      logits: net.runNet(new faceapi.NetInput([face])).arraySync()[0],
      probabilities: { ...(await net.predictExpressions(face)) },
    }),
  },
  face_recognition: {
    size: 150,
    net: new faceapi.FaceRecognitionNet(),
    run: async (net, face) => ({ descriptor: Array.from(await net.computeFaceDescriptor(face)) }),
  },
};
const { size, net, run } = NETS[kind];

const bytes = (name) => new Uint8Array(fs.readFileSync(path.join(folder, 'model', name))).buffer;
const manifest = JSON.parse(new TextDecoder().decode(bytes(`${kind}_model-weights_manifest.json`)));
await net.loadFromWeightMap(tf.io.decodeWeights(bytes(`${kind}_model.bin`), manifest[0].weights));

const pixels = new Uint8Array(fs.readFileSync(inputs));
const results = [];
for (let at = 0; at < pixels.length; at += size * size * 3) {
  const face = tf.tensor3d(Int32Array.from(pixels.subarray(at, at + size * size * 3)), [size, size, 3], 'int32');
  results.push(await run(net, face));
}
console.log(JSON.stringify(results));
