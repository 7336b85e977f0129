// One video: its frames as pictures that the server decodes, each with the points that were found in that very frame.

const COLOURS = ["#0072B2", "#E69F00", "#000000", "#56B4E9", "#D55E00", "#F0E442", "#009E73", "#CC79A7"]
const AHEAD = 12
const KEPT = 60
const MOST_WIDE = 1920

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  made.append(...children)
  return made
}

function isTyping(event) {
  const target = event.composedPath()[0]
  return /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName ?? "") && target.type !== "checkbox"
}

// Values by position, those that were used longest ago forgotten.
class Kept {
  constructor(load, most, forget = () => {}) {
    this.load = load
    this.most = most
    this.forget = forget
    this.values = new Map()
  }

  get(key) {
    const found = this.values.get(key) ?? this.load(key)
    this.values.delete(key)
    this.values.set(key, found)
    while (this.values.size > this.most) {
      const [oldest, value] = this.values.entries().next().value
      this.values.delete(oldest)
      value.then(this.forget, () => {})
    }
    return found
  }
}

async function fetched(address) {
  const answer = await fetch(address)
  if (!answer.ok) throw new Error(await answer.text())
  return answer
}

// The last frame that has begun at a time.
function positionAt(seconds, time) {
  let low = 0
  let high = seconds.length - 1
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (seconds[middle] <= time) low = middle
    else high = middle - 1
  }
  return low
}

// The lines in the panels of time courses, which the server need not hear of.
function moveCursors(time) {
  for (const page of window.Bokeh?.documents ?? []) {
    for (let i = 0, cursor; (cursor = page.get_model_by_name(`facearray-cursor-${i}`)) != null; i++) {
      cursor.setv({location: time}, {sync: false})
    }
  }
}

export function render({model}) {
  const canvas = element("canvas", {role: "img", width: 640, height: 360})
  const message = element("p", {class: "message", role: "status"})
  const play = element("button", {type: "button", "aria-keyshortcuts": "Space"}, "Play")
  const back = element("button", {type: "button", "aria-keyshortcuts": "ArrowLeft", title: "Previous frame (left arrow)"}, "◀ Frame")
  const next = element("button", {type: "button", "aria-keyshortcuts": "ArrowRight", title: "Next frame (right arrow)"}, "Frame ▶")
  const slider = element("input", {type: "range", min: 0, step: 1, value: 0, "aria-label": "Frame"})
  const readout = element("output", {class: "readout"})
  const speed = element("select", {})
  for (const factor of ["0.25", "0.5", "1", "2"]) speed.append(element("option", {value: factor}, `${factor} ×`))
  speed.value = "1"
  const points = element("input", {type: "checkbox"})
  points.checked = true

  const face = element("img", {alt: "", height: 260})
  const faceText = element("figcaption", {})
  const figure = element("figure", {class: "face"}, face, faceText)

  let shown = -1
  let wanted = 0
  let busy = false
  let playing = null
  let pictures, overlays

  function reset() {
    pause()
    const row = model.row
    pictures = new Kept(async (i) => createImageBitmap(await (await fetched(`./frame/${row}/${i}`)).blob()), KEPT, (b) => b.close())
    overlays = new Kept(async (block) => {
      const values = new Float32Array(await (await fetched(`./overlay/${row}/${block}`)).arrayBuffer())
      const [n, faces, landmarks] = values
      const end = 3 + 4 * n * faces
      return {faces, landmarks, boxes: values.subarray(3, end), points: values.subarray(end)}
    }, 6)
    shown = -1
    faceAt = -1
    figure.hidden = model.face < 0
    wanted = Math.max(0, model.position)
    slider.max = Math.max(0, model.seconds.length - 1)
    for (const control of [play, back, next, slider]) control.disabled = model.seconds.length === 0
    message.textContent = model.message
    canvas.removeAttribute("data-position")
    canvas.dataset.row = row
    if (model.seconds.length) show(wanted)
    else {
      blank()
      model.drawn = model.revision
    }
  }

  function blank() {
    const context = canvas.getContext("2d")
    context.fillStyle = "#e8e8e8"
    context.fillRect(0, 0, canvas.width, canvas.height)
    readout.textContent = "no frames"
    canvas.setAttribute("aria-label", "No frames")
  }

  // Show a frame; of many that are asked for meanwhile the last one.
  async function show(position) {
    wanted = Math.min(Math.max(0, position), model.seconds.length - 1)
    if (busy) return
    busy = true
    try {
      while (wanted !== shown) {
        const at = wanted
        const row = model.row
        const [picture, overlay] = await Promise.allSettled([pictures.get(at), overlays.get(Math.floor(at / model.block))])
        if (row !== model.row) continue
        draw(at, picture, overlay)
        shown = at
      }
    } finally {
      busy = false
    }
    drawFace()
  }

  function draw(at, picture, overlay) {
    const bitmap = picture.status === "fulfilled" ? picture.value : null
    const width = model.source_width || (bitmap ? bitmap.width : 640)
    const height = model.source_height || (bitmap ? bitmap.height : 360)
    // as fine as the screen, so that points are sharp over a picture that is not
    canvas.width = Math.max(bitmap ? bitmap.width : 0, Math.min(MOST_WIDE, Math.round(canvas.clientWidth * devicePixelRatio)), 1)
    canvas.height = Math.max(1, Math.round(canvas.width * (bitmap ? bitmap.height / bitmap.width : height / width)))
    const context = canvas.getContext("2d")
    if (bitmap) context.drawImage(bitmap, 0, 0, canvas.width, canvas.height)
    else {
      context.fillStyle = "#e8e8e8"
      context.fillRect(0, 0, canvas.width, canvas.height)
    }
    const problems = [picture, overlay].filter((one) => one.status === "rejected").map((one) => one.reason.message)
    message.textContent = [model.message, ...problems].filter((text) => text).join(" ")
    if (points.checked && overlay.status === "fulfilled") {
      context.setTransform(canvas.width / width, 0, 0, canvas.height / height, 0, 0)
      drawFaces(context, overlay.value, at % model.block, width / canvas.width * devicePixelRatio)
      context.setTransform(1, 0, 0, 1, 0, 0)
    }
    const time = model.seconds[at]
    canvas.dataset.position = at
    canvas.dataset.picture = bitmap ? "yes" : "no"
    const text = `frame ${at + 1} of ${model.seconds.length} · ${time.toFixed(3)} s`
    canvas.setAttribute("aria-label", `${model.label}, ${text}`)
    readout.textContent = text
    slider.value = at
    slider.setAttribute("aria-valuetext", text)
    moveCursors(time)
    tell(at)
    if (model.drawn !== model.revision) model.drawn = model.revision
  }

  function drawFaces(context, overlay, k, pixel) {
    for (let face = 0; face < overlay.faces; face++) {
      context.strokeStyle = context.fillStyle = COLOURS[face % COLOURS.length]
      const [x, y, w, h] = overlay.boxes.subarray(4 * (k * overlay.faces + face), 4 * (k * overlay.faces + face) + 4)
      context.lineWidth = 2 * pixel
      if (Number.isFinite(x + y + w + h)) context.strokeRect(x, y, w, h)
      const start = 2 * overlay.landmarks * (k * overlay.faces + face)
      const radius = pixel * (overlay.landmarks > 100 ? 1 : 2.5)
      context.beginPath()
      for (let i = start; i < start + 2 * overlay.landmarks; i += 2) {
        const px = overlay.points[i]
        const py = overlay.points[i + 1]
        if (Number.isFinite(px + py)) context.rect(px - radius, py - radius, 2 * radius, 2 * radius)
      }
      context.fill()
    }
  }

  // The face that is drawn from the numbers of the frame; while one is drawn, only the last that is asked for waits.
  let faceAt = -1
  let faceBusy = false
  async function drawFace() {
    if (faceBusy || model.face < 0 || shown < 0) return
    faceBusy = true
    while (model.face >= 0 && faceAt !== shown) {
      const at = faceAt = shown
      let picture = null
      try {
        picture = await (await fetched(`./face/${model.row}/${at}/${model.face}`)).blob()
      } catch {
        // this frame has no face
      }
      URL.revokeObjectURL(face.src)
      if (picture) face.src = URL.createObjectURL(picture)
      else face.removeAttribute("src")
      face.alt = picture ? "Face drawn from the numbers of this frame" : ""
      faceText.textContent = picture ? "drawn from the numbers of this frame" : "no face in this frame"
      figure.dataset.position = at
      // a face takes as long as many frames
      if (playing) await new Promise((done) => setTimeout(done, 400))
    }
    faceBusy = false
  }

  function redrawFace() {
    figure.hidden = model.face < 0
    faceAt = -1
    drawFace()
  }

  // Python is told where the cursor is a few times a second while a video plays.
  let told = 0
  let late = null
  function tell(at) {
    clearTimeout(late)
    const rest = 250 - (performance.now() - told)
    if (rest > 0 && playing) {
      late = setTimeout(() => tell(shown), rest)
      return
    }
    told = performance.now()
    if (model.position !== at) model.position = at
  }

  function pause() {
    playing = null
    play.textContent = "Play"
    if (shown >= 0) tell(shown)
  }

  async function start() {
    if (playing || !model.seconds.length) return
    const mine = playing = {}
    const last = model.seconds.length - 1
    play.textContent = "Pause"
    await show(shown >= last ? 0 : wanted)
    let begun = performance.now()
    let from = model.seconds[Math.max(shown, 0)]
    while (playing === mine) {
      const now = await new Promise(requestAnimationFrame)
      if (playing !== mine) return
      const due = positionAt(model.seconds, from + Math.max(0, now - begun) / 1000 * Number(speed.value))
      for (let i = due + 1; i <= Math.min(due + AHEAD, last); i++) pictures.get(i).catch(() => {})
      if (due === shown) continue
      await show(due)
      // a frame that was late holds the clock, so that none is left out
      if (performance.now() - now > 150) {
        begun = performance.now()
        from = model.seconds[shown]
      }
      if (playing === mine && shown >= last) pause()
    }
  }

  const toggle = () => playing ? pause() : start()
  const seek = (position) => { pause(); show(position) }
  play.addEventListener("click", toggle)
  back.addEventListener("click", () => seek(wanted - 1))
  next.addEventListener("click", () => seek(wanted + 1))
  slider.addEventListener("input", () => seek(Number(slider.value)))
  speed.addEventListener("change", () => { if (playing) { pause(); start() } })
  points.addEventListener("change", () => { const at = wanted; shown = -1; show(at) })

  const keys = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event) || !model.seconds.length) return
    const onButton = event.composedPath()[0].tagName === "BUTTON"
    const steps = {ArrowLeft: -1, ArrowRight: 1, PageUp: -25, PageDown: 25}
    if (event.key in steps) seek(wanted + steps[event.key])
    else if (event.key === "Home") seek(0)
    else if (event.key === "End") seek(model.seconds.length - 1)
    else if (event.key === " " && !onButton) toggle()
    else return
    event.preventDefault()
  }
  const sought = (event) => {
    if (!model.seconds.length || !Number.isFinite(event.detail)) return
    let at = positionAt(model.seconds, event.detail)
    const later = model.seconds[at + 1]
    if (later !== undefined && later - event.detail < event.detail - model.seconds[at]) at += 1
    seek(at)
  }
  document.addEventListener("keydown", keys)
  window.addEventListener("facearray-seek", sought)
  model.on("remove", () => {
    pause()
    document.removeEventListener("keydown", keys)
    window.removeEventListener("facearray-seek", sought)
  })
  model.on("revision", reset)
  model.on("face", redrawFace)
  reset()
  return element("section", {"aria-label": "Video"},
    element("div", {class: "pictures"}, canvas, figure), message,
    element("div", {class: "controls"}, back, play, next, readout,
      element("label", {}, element("span", {}, "Speed"), speed),
      element("label", {class: "check"}, points, element("span", {}, "Points"))),
    slider)
}
