// The engine behind any channel of messages, so that it can be tried without Electron.
//   in:  { type: 'load', model }   { type: 'chat', id, text }   { type: 'stop', id }   { type: 'dispose' }
//   out: { type: 'progress', ... } { type: 'ready', device }    { type: 'piece', id, text }
//        { type: 'end', id, finishReason }                      { type: 'error', id, code, message }
const { Engine } = require('cachalot');

function serveEngine({ onMessage, send, exit }) {
  let engine;
  let session;
  const running = new Map();

  async function load({ model }) {
    engine = await Engine.load(model, {
      onProgress: ({ phase, receivedBytes, totalBytes }) =>
        send({ type: 'progress', phase, receivedBytes, totalBytes }),
    });
    session = engine.createSession();
    send({ type: 'ready', device: engine.description.device });
  }

  async function chat({ id, text }) {
    if (session === undefined) throw new Error('no model has been loaded yet');
    const generation = session.chat(text, { maxTokens: 512 });
    running.set(id, generation);
    try {
      for await (const piece of generation) send({ type: 'piece', id, text: piece });
      const { finishReason } = await generation.result;
      send({ type: 'end', id, finishReason });
    } finally {
      running.delete(id);
    }
  }

  async function dispose() {
    await engine?.dispose();
    exit();
  }

  const handlers = { load, chat, dispose, stop: async ({ id }) => running.get(id)?.stop() };
  onMessage((message) => {
    handlers[message.type]?.(message).catch((error) => {
      const { code, message: text } = error;
      send({ type: 'error', id: message.id, code, message: text });
    });
  });
}

module.exports = { serveEngine };
