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
    await engine?.dispose(); // a page that was loaded again asks again
    session = undefined;
    engine = await Engine.load(model, {
      onProgress: ({ phase, receivedBytes, totalBytes }) =>
        send({ type: 'progress', phase, receivedBytes, totalBytes }),
    });
    session = engine.createSession();
    send({ type: 'ready', device: engine.description.device });
  }

  async function chat({ id, text }) {
    if (session === undefined) throw new Error('no model has been loaded yet');
    const generation = session.chat(text);
    running.set(id, generation);
    try {
      for await (const piece of generation) send({ type: 'piece', id, text: piece });
      const { finishReason } = await generation.result;
      send({ type: 'end', id, finishReason });
    } finally {
      running.delete(id);
    }
  }

  async function stop({ id }) {
    running.get(id)?.stop();
  }

  async function dispose() {
    await engine?.dispose();
    exit();
  }

  const handlers = new Map(Object.entries({ load, chat, stop, dispose }));
  onMessage(async (message) => {
    try {
      await handlers.get(message?.type)?.(message);
    } catch (error) {
      send({ type: 'error', id: message.id, code: error.code, message: error.message });
    }
  });
}

module.exports = { serveEngine };
