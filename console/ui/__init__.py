"""Parts that pages share, and what stands between the browser and Streamlit."""
