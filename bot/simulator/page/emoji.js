/**
 * Emoji shortcodes that chat-ops messages use. The one rule: a name that is not here stays as it was written.
 */

const TABLE = `
+1 👍|thumbsup 👍|-1 👎|thumbsdown 👎|100 💯|1234 🔢|alarm_clock ⏰|ambulance 🚑|arrow_down ⬇️|arrow_forward ▶️|arrow_left ⬅️
arrow_right ➡️|arrow_up ⬆️|arrow_up_small 🔼|arrow_down_small 🔽|arrows_counterclockwise 🔄|art 🎨|back 🔙|ballot_box_with_check ☑️|bar_chart 📊|bee 🐝
bell 🔔|black_circle ⚫|black_square_for_stop ⏹️|blue_heart 💙|blush 😊|book 📖|bookmark 🔖|boom 💥|bow 🙇|broom 🧹|bug 🐛|bulb 💡|bust_in_silhouette 👤
busts_in_silhouette 👥|calendar 📆|card_index_dividers 🗂️|chart_with_downwards_trend 📉|chart_with_upwards_trend 📈|clap 👏|clipboard 📋|clock1 🕐
clock12 🕛|clock3 🕒|clock9 🕘|closed_lock_with_key 🔐|coffee ☕|computer 💻|construction 🚧|credit_card 💳|crossed_fingers 🤞|cry 😢|date 📅|desktop_computer 🖥️
dizzy 💫|double_vertical_bar ⏸️|envelope ✉️|exclamation ❗|eyes 👀|face_with_monocle 🧐|fast_forward ⏩|file_folder 📁|fire 🔥|floppy_disk 💾|four_leaf_clover 🍀
gear ⚙️|gem 💎|globe_with_meridians 🌐|green_circle 🟢|green_heart 💚|grey_question ❔|grin 😁|hammer 🔨|hammer_and_wrench 🛠️|heart ❤️|heavy_check_mark ✔️
heavy_exclamation_mark ❗|heavy_minus_sign ➖|heavy_multiplication_x ✖️|heavy_plus_sign ➕|hourglass ⌛|hourglass_flowing_sand ⏳|information_source ℹ️
inbox_tray 📥|joy 😂|key 🔑|label 🏷️|large_blue_circle 🔵|large_green_circle 🟢|large_orange_circle 🟠|large_red_square 🟥|large_yellow_circle 🟡|link 🔗|lock 🔒
loudspeaker 📢|mag 🔍|mailbox 📫|mega 📣|memo 📝|money_with_wings 💸|moon 🌔|muscle 💪|negative_squared_cross_mark ❎|new 🆕|no_bell 🔕|no_entry ⛔|no_entry_sign 🚫
octagonal_sign 🛑|ok 🆗|ok_hand 👌|open_hands 👐|orange_circle 🟠|outbox_tray 📤|package 📦|page_facing_up 📄|paperclip 📎|party_popper 🎉|pencil 📝|pencil2 ✏️
point_down 👇|point_left 👈|point_right 👉|point_up ☝️|pray 🙏|pushpin 📌|question ❓|raised_hand ✋|raised_hands 🙌|receipt 🧾|red_circle 🔴|repeat 🔁|robot_face 🤖
rocket 🚀|rotating_light 🚨|running 🏃|scales ⚖️|scroll 📜|seedling 🌱|shield 🛡️|ship 🚢|shrug 🤷|skull 💀|sleeping 😴|slightly_smiling_face 🙂|smile 😄|smiley 😃
snail 🐌|snowflake ❄️|sob 😭|sos 🆘|sparkles ✨|speech_balloon 💬|star ⭐|stop_sign 🛑|stopwatch ⏱️|sunny ☀️|sunglasses 😎|tada 🎉|technologist 🧑‍💻|telephone_receiver 📞
thinking_face 🤔|thought_balloon 💭|timer_clock ⏲️|traffic_light 🚥|triangular_flag_on_post 🚩|trophy 🏆|truck 🚚|unlock 🔓|vertical_traffic_light 🚦|warning ⚠️
watch ⌚|wastebasket 🗑️|wave 👋|white_check_mark ✅|white_circle ⚪|wink 😉|wrench 🔧|writing_hand ✍️|x ❌|yellow_circle 🟡|zap ⚡|zzz 💤
one 1️⃣|two 2️⃣|three 3️⃣|four 4️⃣|five 5️⃣|black_right_pointing_double_triangle_with_vertical_bar ⏭️|bellhop_bell 🛎️|ladder 🪜|test_tube 🧪|dart 🎯|honeybee 🐝
`;

const EMOJI = new Map(
  TABLE.split(/[|\n]/)
    .filter(Boolean)
    .map((entry) => [entry.slice(0, entry.lastIndexOf(" ")), entry.slice(entry.lastIndexOf(" ") + 1)]),
);

/** The character of a shortcode (without its colons, skin tone ignored), or null. */
export function emoji(name) {
  return EMOJI.get(name.split("::")[0]) ?? null;
}

/** Plain text with its known `:shortcodes:` replaced. */
export function withEmoji(text) {
  return text.replace(/:([a-z0-9_+'-]+):/g, (whole, name) => emoji(name) ?? whole);
}
