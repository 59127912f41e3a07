// The main process: a window, and the engine in a process of its own. It passes messages on and never waits for a model.
const { join } = require('node:path');

const { BrowserWindow, app, ipcMain, utilityProcess } = require('electron');

let engine;
let window;

function startEngine() {
  engine = utilityProcess.fork(join(__dirname, 'engine-process.js'), [], {
    serviceName: 'cachalot',
  });
  engine.on('message', (message) => window?.webContents.send('engine', message));
  // A crash of the engine is an event, not the end of the app.
  engine.on('exit', (code) => window?.webContents.send('engine', { type: 'ended', code }));
}

app.whenReady().then(() => {
  window = new BrowserWindow({
    width: 760,
    height: 640,
    webPreferences: { preload: join(__dirname, 'preload.js') }, // sandboxed, isolated: Electron's defaults
  });
  startEngine(); // before the page, which begins by asking for a model
  ipcMain.on('engine', (_event, message) => engine.postMessage(message));
  window.loadFile('index.html');
});

app.on('window-all-closed', () => {
  engine?.postMessage({ type: 'dispose' });
  app.quit();
});
