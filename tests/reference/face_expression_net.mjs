// Prints what face-api.js' expression network makes of raw inputs (112 x 112 x 3 bytes each), as JSON.
// node face_expression_net.mjs PACKAGE INPUTS
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, inputs] = process.argv.slice(2);
const SIZE = 112;

// The bundle is for browsers and fails at a look-up of node's own modules unless it believes to be in one.
globalThis.window = globalThis;
globalThis.document = { createElement: () => ({}) };
const faceapi = await import(pathToFileURL(path.resolve(folder, 'dist/face-api.esm.js')));
const { tf } = faceapi;
await tf.setBackend('cpu');
await tf.ready();

const bytes = (name) => new Uint8Array(fs.readFileSync(path.join(folder, 'model', name))).buffer;
const manifest = JSON.parse(new TextDecoder().decode(bytes('face_expression_model-weights_manifest.json')));
const net = new faceapi.FaceExpressionNet();
await net.loadFromWeightMap(tf.io.decodeWeights(bytes('face_expression_model.bin'), manifest[0].weights));

const pixels = new Uint8Array(fs.readFileSync(inputs));
const results = [];
for (let at = 0; at < pixels.length; at += SIZE * SIZE * 3) {
  const face = tf.tensor3d(Int32Array.from(pixels.subarray(at, at + SIZE * SIZE * 3)), [SIZE, SIZE, 3], 'int32');
  const logits = net.runNet(new faceapi.NetInput([face])).arraySync()[0];
  const scores = await net.predictExpressions(face);
  results.push({ logits, probabilities: { ...scores } });
}
console.log(JSON.stringify(results));
