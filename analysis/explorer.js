"use strict";
// Draws the views that analysis/explorer.py packs: prices and books that a reader moves and zooms. It asks nobody for anything.
(() => {
  const NOTHING = 2147483647, LEFT = 66, RIGHT = 14, TOP = 12, BOTTOM = 26, NEAREST = 40;

  async function bytes(text) {
    const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).arrayBuffer();
  }

  async function numbers(text) {
    const values = new Int32Array(await bytes(text));
    for (let at = 1, sum = values[0] || 0; at < values.length; at++) values[at] = sum = (sum + values[at]) | 0;
    return values;
  }

  // The last place whose value is at most x; -1 where there is none.
  function lastAt(values, x) {
    let low = 0, high = values.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (values[middle] <= x) low = middle + 1; else high = middle;
    }
    return low - 1;
  }

  function roundStep(least, rounds) {
    for (const step of rounds) if (step >= least) return step;
    return 10 ** Math.ceil(Math.log10(least));
  }

  const ROUNDS = [];
  for (let power = 0; power < 9; power++) for (const times of [1, 2, 5]) ROUNDS.push(times * 10 ** power);
  for (const seconds of [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400]) ROUNDS.push(seconds * 1e9);

  function priceStep(least) {
    const power = 10 ** Math.floor(Math.log10(least));
    return [1, 2, 5, 10].map((times) => times * power).find((step) => step >= least * 0.999);
  }

  class View {
    constructor(figure) {
      this.figure = figure;
      this.canvas = figure.querySelector("canvas");
      this.about = JSON.parse(figure.querySelector("script").textContent);
      this.pointers = new Map();
      this.cross = null;
      this.active = false;
    }

    async begin() {
      await this.load();
      this.figure.hidden = false;
      this.reset();
      this.listen();
      new ResizeObserver(() => this.redraw()).observe(this.canvas);
    }

    // --- the stretch of time that is shown, in ns from the start ---

    reset() { this.from = 0; this.until = this.about.span; this.redraw(); }

    show(from, until) {
      const span = Math.min(Math.max(until - from, Math.min(this.about.span, 20 * this.about.unit, 1e6)), this.about.span);
      this.from = Math.min(Math.max(from, 0), this.about.span - span);
      this.until = this.from + span;
      this.redraw();
    }

    zoom(factor, x) {
      const centre = this.timeAt(x === undefined ? (LEFT + this.width - RIGHT) / 2 : x);
      this.show(centre - (centre - this.from) * factor, centre + (this.until - centre) * factor);
    }

    move(share) { const by = share * (this.until - this.from); this.show(this.from + by, this.until + by); }

    timeAt(x) { return this.from + (x - LEFT) / (this.width - LEFT - RIGHT) * (this.until - this.from); }

    x(time) { return LEFT + (time - this.from) / (this.until - this.from) * (this.width - LEFT - RIGHT); }

    y(price) { return TOP + (this.most - price) / (this.most - this.least) * (this.floor - TOP); }

    // --- hands ---

    listen() {
      const canvas = this.canvas, place = (event) => event.clientX - canvas.getBoundingClientRect().left;
      canvas.addEventListener("wheel", (event) => {
        if (!this.active) return;
        event.preventDefault();
        this.zoom(Math.exp(Math.min(Math.max(event.deltaY, -200), 200) * 0.002), place(event));
      }, { passive: false });
      canvas.addEventListener("pointerdown", (event) => {
        this.active = true;
        canvas.setPointerCapture(event.pointerId);
        this.pointers.set(event.pointerId, place(event));
      });
      canvas.addEventListener("pointermove", (event) => {
        const x = place(event);
        this.cross = { x, y: event.clientY - canvas.getBoundingClientRect().top };
        if (this.pointers.has(event.pointerId)) this.drag(event.pointerId, x);
        this.redraw();
      });
      const up = (event) => this.pointers.delete(event.pointerId);
      canvas.addEventListener("pointerup", up);
      canvas.addEventListener("pointercancel", up);
      canvas.addEventListener("pointerleave", () => { this.cross = null; this.redraw(); });
      canvas.addEventListener("blur", () => { this.active = false; });
      canvas.addEventListener("focus", () => { this.active = true; });
      canvas.addEventListener("dblclick", () => this.reset());
      const keys = { ArrowLeft: () => this.move(-0.2), ArrowRight: () => this.move(0.2), "+": () => this.zoom(0.7), "=": () => this.zoom(0.7), "-": () => this.zoom(1 / 0.7), 0: () => this.reset(), Home: () => this.reset() };
      canvas.addEventListener("keydown", (event) => {
        if (!(event.key in keys)) return;
        event.preventDefault();
        keys[event.key]();
      });
    }

    drag(pointer, x) {
      const before = this.pointers.get(pointer), others = [...this.pointers].filter(([id]) => id !== pointer);
      if (others.length) {
        const other = others[0][1], wide = Math.max(Math.abs(x - other), 1);
        this.zoom(Math.abs(before - other) / wide || 1, (x + other) / 2);
      } else this.move((before - x) / (this.width - LEFT - RIGHT));
      this.pointers.set(pointer, x);
    }

    // --- drawing ---

    redraw() {
      if (this.asked) return;
      this.asked = true;
      requestAnimationFrame(() => { this.asked = false; this.draw(); });
    }

    draw() {
      const canvas = this.canvas, dense = window.devicePixelRatio || 1;
      this.width = canvas.clientWidth;
      this.height = canvas.clientHeight;
      if (!this.width) return;
      canvas.width = Math.round(this.width * dense);
      canvas.height = Math.round(this.height * dense);
      const pen = this.pen = canvas.getContext("2d");
      pen.setTransform(dense, 0, 0, dense, 0, 0);
      pen.font = "12px system-ui, sans-serif";
      this.floor = this.height - BOTTOM - this.below();
      this.fit();
      this.axes();
      pen.save();
      pen.beginPath();
      pen.rect(LEFT, 0, this.width - LEFT - RIGHT, this.height - BOTTOM);
      pen.clip();
      this.paint();
      pen.restore();
      if (this.cross && this.cross.x > LEFT && this.cross.x < this.width - RIGHT) this.point();
    }

    below() { return 0; }

    axes() {
      const { pen, about } = this, step = priceStep((this.most - this.least) / Math.max((this.floor - TOP) / NEAREST, 1));
      const digits = Math.min(Math.max(-Math.floor(Math.log10(step) + 1e-9), 0), 8);
      pen.strokeStyle = "#e5e7eb";
      pen.fillStyle = "#374151";
      pen.lineWidth = 1;
      pen.textAlign = "right";
      pen.textBaseline = "middle";
      for (let price = Math.ceil(this.least / step) * step; price <= this.most; price += step) {
        this.line(LEFT, this.y(price), this.width - RIGHT, this.y(price));
        pen.fillText(price.toFixed(digits), LEFT - 6, this.y(price));
      }
      pen.textAlign = "center";
      pen.textBaseline = "top";
      const wide = about.days ? 120 : 90, every = roundStep((this.until - this.from) / Math.max((this.width - LEFT - RIGHT) / wide, 1), ROUNDS);
      const first = Math.ceil((about.start + this.from) / every) * every - about.start;
      for (let time = first; time <= this.until; time += every) {
        const x = this.x(time);
        this.line(x, TOP, x, this.height - BOTTOM);
        if (x < this.width - 30) pen.fillText(this.clock(time, every), x, this.height - BOTTOM + 6);
      }
      pen.save();
      pen.translate(9, (TOP + this.floor) / 2);
      pen.rotate(-Math.PI / 2);
      pen.textBaseline = "middle";
      pen.fillText(`price (${about.currency})`, 0, 0);
      pen.restore();
    }

    line(x, y, right, bottom) { this.pen.beginPath(); this.pen.moveTo(x, y); this.pen.lineTo(right, bottom); this.pen.stroke(); }

    // A time of day, as fine as the step needs.
    clock(time, step) {
      const all = Math.round(this.about.start + time), second = Math.floor(all / 1e9), two = (value) => String(value).padStart(2, "0");
      const hours = Math.floor(second / 3600) % 24, days = Math.floor(second / 86400);
      let text = `${two(hours)}:${two(Math.floor(second / 60) % 60)}`;
      if (step < 60e9) text += `:${two(second % 60)}`;
      if (step < 1e9) {
        const digits = step >= 1e6 ? 3 : step >= 1e3 ? 6 : 9;
        text += "." + String(all - second * 1e9).padStart(9, "0").slice(0, digits);
      }
      if (!this.about.days) return text;
      if (!this.about.date) return `day ${days + 1}, ${text}`;
      const day = new Date(Date.parse(this.about.date) + days * 864e5);
      return `${day.toLocaleDateString("en", { month: "short", day: "numeric", timeZone: "UTC" })}, ${text}`;
    }

    point() {
      const { pen } = this, words = this.told(this.timeAt(this.cross.x));
      pen.strokeStyle = "#9ca3af";
      this.line(this.cross.x, TOP, this.cross.x, this.height - BOTTOM);
      const wide = Math.max(...words.map((word) => pen.measureText(word).width)) + 14, tall = 16 * words.length + 8;
      const x = Math.max(this.cross.x + wide + 16 > this.width ? this.cross.x - wide - 8 : this.cross.x + 8, 1);
      pen.fillStyle = "rgba(255,255,255,.93)";
      pen.fillRect(x, TOP, wide, tall);
      pen.strokeRect(x + 0.5, TOP + 0.5, wide, tall);
      pen.fillStyle = "#111827";
      pen.textAlign = "left";
      pen.textBaseline = "top";
      words.forEach((word, row) => pen.fillText(word, x + 7, TOP + 5 + 16 * row));
    }

    price(ticks, tick) {
      if (ticks === NOTHING) return "–";
      return (ticks * tick).toFixed(Math.min(Math.max(Math.ceil(-Math.log10(tick) - 1e-9), 0), 8));
    }
  }

  class Prices extends View {
    async load() {
      for (const name of ["time", "bid", "ask", "tradeTime", "tradePrice", "tradeLots", "volume"]) this[name] = await numbers(this.about[name]);
    }

    below() { return Math.round((this.height - BOTTOM - TOP) * 0.2) + 8; }

    // First and last row of a list of times that matter here.
    rows(times) {
      const unit = this.about.unit;
      return [Math.max(lastAt(times, this.from / unit), 0), lastAt(times, this.until / unit)];
    }

    fit() {
      let low = Infinity, high = -Infinity;
      const see = (value) => { if (value !== NOTHING) { low = Math.min(low, value); high = Math.max(high, value); } };
      const [first, last] = this.rows(this.time), [begin, end] = this.rows(this.tradeTime);
      for (let row = first; row <= last; row++) { see(this.bid[row]); see(this.ask[row]); }
      for (let row = begin; row <= end; row++) if (this.tradeTime[row] * this.about.unit >= this.from) see(this.tradePrice[row]);
      if (low > high) { low = -1; high = 1; }
      const tick = this.about.tick, edge = Math.max((high - low) * 0.05, 1);
      this.least = (low - edge) * tick;
      this.most = (high + edge) * tick;
    }

    paint() {
      this.drawVolume();
      this.drawSide(this.bid, this.about.colours.bid, Math.min);
      this.drawSide(this.ask, this.about.colours.ask, Math.max);
      this.drawTrades();
    }

    // Steps from row to row; where rows are closer than pixels, one stroke from least to most for each pixel.
    drawSide(side, colour) {
      const { pen } = this, { unit, tick } = this.about, [first, last] = this.rows(this.time);
      pen.strokeStyle = colour;
      pen.lineWidth = 1.2;
      pen.beginPath();
      let column = -1, low = 0, high = 0, open = false;
      for (let row = first; row <= last; row++) {
        const x = this.x(this.time[row] * unit), next = row < last ? this.x(this.time[row + 1] * unit) : this.width - RIGHT;
        if (side[row] === NOTHING) { open = false; continue; }
        const y = this.y(side[row] * tick), at = Math.floor(x);
        if (at === column && open && next - x < 1) {
          if (y < low || y > high) { low = Math.min(low, y); high = Math.max(high, y); pen.lineTo(x, y); }
          continue;
        }
        column = at; low = high = y;
        if (open) pen.lineTo(x, y); else pen.moveTo(x, y);
        pen.lineTo(next, y);
        open = true;
      }
      pen.stroke();
    }

    drawTrades() {
      const { pen } = this, { unit, tick, colours } = this.about, [first, last] = this.rows(this.tradeTime);
      const crowd = last - first > 3 * this.width;
      let most = 1;
      for (let row = first; row <= last; row++) most = Math.max(most, Math.abs(this.tradeLots[row]));
      pen.globalAlpha = crowd ? 0.25 : 0.75;
      for (let row = first; row <= last; row++) {
        const lots = this.tradeLots[row], size = crowd ? 0.8 : 1.3 + 3.2 * Math.sqrt(Math.abs(lots) / most);
        pen.fillStyle = lots > 0 ? colours.bid : colours.ask;
        pen.beginPath();
        pen.arc(this.x(this.tradeTime[row] * unit), this.y(this.tradePrice[row] * tick), size, 0, 7);
        pen.fill();
      }
      pen.globalAlpha = 1;
    }

    drawVolume() {
      const { pen } = this, { span, colours } = this.about, count = this.volume.length, wide = span / count;
      const bars = Math.max(Math.floor((this.width - LEFT - RIGHT) / 4), 1), together = Math.max(Math.ceil((this.until - this.from) / wide / bars), 1);
      const first = Math.floor(this.from / wide / together) * together, sums = [];
      for (let at = first; at < count && at * wide < this.until; at += together) {
        let sum = 0;
        for (let k = at; k < Math.min(at + together, count); k++) sum += this.volume[k];
        sums.push(sum);
      }
      const most = Math.max(...sums, 1), foot = this.height - BOTTOM, tall = this.below() - 14;
      pen.fillStyle = colours.grey;
      sums.forEach((sum, bar) => {
        const x = this.x((first + bar * together) * wide), right = this.x((first + (bar + 1) * together) * wide);
        pen.fillRect(x, foot - tall * sum / most, Math.max(right - x - 1, 1), tall * sum / most);
      });
      pen.fillStyle = "#6b7280";
      pen.textAlign = "left";
      pen.textBaseline = "top";
      pen.fillText(`volume, up to ${(most * this.about.lot).toLocaleString("en")} units a bar`, LEFT + 4, this.floor + 4);
    }

    told(time) {
      const { unit, tick, lot } = this.about, row = lastAt(this.time, time / unit), trade = lastAt(this.tradeTime, time / unit);
      const words = [this.clock(time, (this.until - this.from) / this.width)];
      if (row >= 0) words.push(`ask ${this.price(this.ask[row], tick)}`, `bid ${this.price(this.bid[row], tick)}`);
      if (trade >= 0) words.push(`last ${this.price(this.tradePrice[trade], tick)} × ${(Math.abs(this.tradeLots[trade]) * lot).toLocaleString("en")}`);
      return words;
    }
  }

  class Book extends View {
    async load() {
      const { columns, rows, colours } = this.about;
      this.mid = await numbers(this.about.mid);
      this.cells = new Uint8Array(await bytes(this.about.cells));
      this.image = document.createElement("canvas");
      this.image.width = columns;
      this.image.height = rows;
      const pen = this.image.getContext("2d"), picture = pen.createImageData(columns, rows);
      const scales = [this.scale("#DCEBF5", colours.bid, "#00263D"), this.scale("#FBE6D8", colours.ask, "#4A1F00")];
      for (let row = 0; row < rows; row++) for (let column = 0; column < columns; column++) {
        const cell = this.cells[row * columns + column];
        if (cell) picture.data.set(scales[cell > 128 ? 1 : 0][cell > 128 ? cell - 128 : cell], 4 * ((rows - 1 - row) * columns + column));
      }
      pen.putImageData(picture, 0, 0);
    }

    scale(...names) {
      const parts = names.map((name) => [1, 3, 5].map((at) => parseInt(name.slice(at, at + 2), 16)));
      return Array.from({ length: 128 }, (_, step) => {
        const place = step / 127 * 2, at = Math.min(Math.floor(place), 1), share = place - at;
        return [...parts[at].map((value, part) => value + (parts[at + 1][part] - value) * share), 255];
      });
    }

    columns() {
      const { first, step, columns } = this.about;
      return [Math.max(Math.floor((this.from - first) / step), 0), Math.min(Math.ceil((this.until - first) / step), columns - 1)];
    }

    // The rows in which something rests in what is shown.
    fit() {
      const { rows, columns, low, high } = this.about, [left, right] = this.columns(), tall = (high - low) / rows;
      const empty = (row) => {
        for (let column = left; column <= right; column++) if (this.cells[row * columns + column]) return false;
        return true;
      };
      let bottom = 0, top = rows - 1;
      while (bottom < top && empty(bottom)) bottom++;
      while (top > bottom && empty(top)) top--;
      this.least = low + bottom * tall;
      this.most = low + (top + 1) * tall;
    }

    paint() {
      const { pen } = this, { first, step, columns, rows, low, high, tick, colours } = this.about;
      pen.imageSmoothingEnabled = false;
      const left = this.x(first), top = this.y(high);
      pen.drawImage(this.image, left, top, this.x(first + columns * step) - left, this.y(low) - top);
      const [begin, end] = this.columns();
      for (const [colour, thick] of [["#fff", 3], [colours.ink, 1.2]]) {
        pen.strokeStyle = colour;
        pen.lineWidth = thick;
        pen.beginPath();
        let open = false;
        for (let column = begin; column <= end; column++) {
          if (this.mid[column] === NOTHING) { open = false; continue; }
          const x = this.x(first + column * step), y = this.y(this.mid[column] * tick / 2);
          if (open) pen.lineTo(x, y); else pen.moveTo(x, y);
          pen.lineTo(this.x(first + (column + 1) * step), y);
          open = true;
        }
        pen.stroke();
      }
    }

    told(time) {
      const { first, step, columns, rows, low, high, least, top, tick } = this.about;
      const column = Math.min(Math.max(Math.floor((time - first) / step), 0), columns - 1);
      const price = this.most - (this.cross.y - TOP) / (this.floor - TOP) * (this.most - this.least);
      const row = Math.floor((price - low) / (high - low) * rows), cell = row >= 0 && row < rows ? this.cells[row * columns + column] : 0;
      const words = [this.clock(time, (this.until - this.from) / this.width), `mid ${this.price(this.mid[column], tick / 2)}`];
      const shade = cell > 128 ? cell - 128 : cell;
      words.push(cell ? `${cell > 128 ? "ask" : "bid"} ${price.toFixed(Math.max(Math.ceil(-Math.log10(tick) - 1e-9), 0))}: about ${Math.round(least * (top / least) ** ((shade - 1) / 126)).toLocaleString("en")} units` : "nothing rests here");
      return words;
    }
  }

  for (const figure of document.querySelectorAll("figure.explorer")) {
    const kind = JSON.parse(figure.querySelector("script").textContent).kind;
    (kind === "book" ? new Book(figure) : new Prices(figure)).begin();
  }
})();
