// The main process: a window, and the engine in a process of its own. It passes messages on and never waits for a model.
const { join } = require('node:path');

const { BrowserWindow, app, ipcMain, utilityProcess } = require('electron');

const MODEL = 'tinyllama-1.1b-chat';

let engine;
let window;

const tell = (message) => window?.webContents.send('engine', message);

function startEngine() {
  engine = utilityProcess.fork(join(__dirname, 'engine-process.js'), [], {
    serviceName: 'cachalot',
  });
  engine.on('message', tell);
  // A crash of the engine is an event, not the end of the app: the page's next message starts another.
  engine.on('exit', (code) => {
    engine = undefined;
    tell({ type: 'ended', code });
  });
}

/** What a page may ask for, and in which form: it names no files. */
const ALLOWED = {
  load: () => ({ type: 'load', model: MODEL }),
  chat: ({ id, text }) => ({ type: 'chat', id: Number(id), text: String(text) }),
  stop: ({ id }) => ({ type: 'stop', id: Number(id) }),
};

function fromPage(event, message) {
  const isOurs = event.senderFrame === window?.webContents.mainFrame;
  if (!isOurs || !Object.hasOwn(ALLOWED, message?.type)) return;
  if (engine === undefined) startEngine();
  engine.postMessage(ALLOWED[message.type](message));
}

app.whenReady().then(() => {
  window = new BrowserWindow({
    width: 760,
    height: 640,
    webPreferences: { preload: join(__dirname, 'preload.js') }, // sandboxed, isolated: Electron's defaults
  });
  window.on('closed', () => (window = undefined));
  window.webContents.setWindowOpenHandler(() => ({ action: 'deny' }));
  window.webContents.on('will-navigate', (event) => event.preventDefault());
  ipcMain.on('engine', fromPage);
  window.loadFile('index.html');
});

app.on('window-all-closed', () => {
  engine?.postMessage({ type: 'dispose' });
  app.quit();
});
