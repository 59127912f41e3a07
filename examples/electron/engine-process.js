// The utility process: an engine behind messages.
const { serveEngine } = require('./engine-host.js');

serveEngine({
  onMessage: (listener) => process.parentPort.on('message', ({ data }) => listener(data)),
  send: (message) => process.parentPort.postMessage(message),
  exit: () => process.exit(0),
});
